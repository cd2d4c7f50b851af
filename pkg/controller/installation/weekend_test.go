// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/generated/clientset/versioned/fake"
	listers "ksit.io/ksit/pkg/generated/listers/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

const anyKubeconfig = `{"apiVersion":"v1","kind":"Config","current-context":"c",
"clusters":[{"name":"c","cluster":{"server":"https://192.0.2.1"}}],
"users":[{"name":"u","user":{"token":"t"}}],
"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}]}`

// scripted is an installer that does as it is told, and counts.
type scripted struct {
	applyErr, rollbackErr error
	applies, rollbacks    atomic.Int32
	// held and heldErr are what Held answers.
	held    *v1alpha1.Hold
	heldErr error
	// during, if set, is called in a rollback.
	during func(context.Context) error
}

func (s *scripted) Apply(_ context.Context, _ *cluster.Connection, req installer.Request) (installer.Result, error) {
	s.applies.Add(1)
	version := req.AutoInstall.HelmConfig.Version
	return installer.Result{Changed: true, Releases: []v1alpha1.ReleaseStatus{{Name: "app", Namespace: "app", Version: version}}}, s.applyErr
}

func (s *scripted) Rollback(ctx context.Context, _ *cluster.Connection, req installer.Request) (installer.Result, error) {
	s.rollbacks.Add(1)
	if s.during != nil {
		return installer.Result{}, s.during(ctx)
	}
	if req.To == nil {
		return installer.Result{Changed: true, Releases: req.Recorded}, s.rollbackErr
	}
	to := *req.To
	if to.Number == 0 {
		to.Number = 1
	}
	if s.rollbackErr != nil && installer.ReasonOf(s.rollbackErr) == installer.ReasonRevisionNotFound {
		return installer.Result{Releases: req.Recorded}, s.rollbackErr
	}
	return installer.Result{Changed: true, Releases: []v1alpha1.ReleaseStatus{{Name: "app", Namespace: "app", Version: "1.0.0"}}, To: to}, s.rollbackErr
}

// Objects cannot tell: that has nothing probed, which would need a target.
func (s *scripted) Objects(context.Context, *cluster.Connection, []v1alpha1.ReleaseStatus) (object.ObjMetadataSet, error) {
	return nil, installer.Errorf(installer.ReasonTargetUnreachable, "not asked")
}

func (s *scripted) Held(context.Context, *cluster.Connection, installer.Request) (*v1alpha1.Hold, []v1alpha1.ReleaseStatus, error) {
	return s.held, []v1alpha1.ReleaseStatus{{Name: "app", Namespace: "app", Version: "1.0.0"}}, s.heldErr
}

func (s *scripted) Uninstall(context.Context, *cluster.Connection, installer.Removal) error {
	return nil
}

func (s *scripted) Disown(context.Context, *cluster.Connection, installer.Owner, []v1alpha1.ReleaseStatus) error {
	return nil
}

func (s *scripted) Drift(context.Context, *cluster.Connection, installer.DriftCheck) (installer.Drift, error) {
	return installer.Drift{}, nil
}

func (s *scripted) Correct(context.Context, *cluster.Connection, installer.DriftCheck) (installer.Drift, error) {
	return installer.Drift{}, nil
}

type noSources struct{}

func (noSources) Read(context.Context, string, *v1alpha1.AutoInstall) (installer.Sources, error) {
	return installer.Sources{}, nil
}

type noMetrics struct{}

func (noMetrics) InstallSucceeded(string, string)      {}
func (noMetrics) InstallFailed(string, string, string) {}
func (noMetrics) DriftFound(string, int)               {}
func (noMetrics) DriftCorrected(string, int)           {}

// linesSaid keeps what was said, for a test to look at.
type linesSaid struct{ lines []string }

func (l *linesSaid) Say(_ types.NamespacedName, line string) { l.lines = append(l.lines, line) }

// simulation runs the controller over one Installation in simulated time.
type simulation struct {
	t          *testing.T
	ctx        context.Context
	controller *Controller
	installer  *scripted
	objects    cache.Indexer
	key        types.NamespacedName
	log        linesSaid
	again      time.Duration
	work       bool
}

// simulate begins with an Installation that has nothing installed yet.
func simulate(t *testing.T) *simulation {
	s := &simulation{
		t: t, ctx: t.Context(), installer: &scripted{}, key: types.NamespacedName{Namespace: "ns", Name: "app.one"},
		objects: cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{}),
	}
	start := upToDate(fresh).installation
	start.Name = s.key.Name
	start.Spec.Type = v1alpha1.IntegrationTypeGeneric
	start.Spec.AutoInstall.HelmConfig = &v1alpha1.HelmConfig{Chart: "app", Version: "1.0.0", ReleaseName: "app"}
	targets := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	if err := targets.Add(upToDate().target); err != nil {
		t.Fatal(err)
	}
	connections := cluster.NewSet(cluster.Options{})
	t.Cleanup(connections.Close)
	if _, err := connections.Connect(t.Context(), types.NamespacedName{Namespace: "ns", Name: "one"}, []byte(anyKubeconfig)); err != nil {
		t.Fatal(err)
	}
	s.controller = &Controller{
		Client:        fake.NewSimpleClientset(start).KsitV1alpha1(),
		Installations: listers.NewInstallationLister(s.objects),
		Targets:       listers.NewIntegrationTargetLister(targets),
		Connections:   connections,
		Installers:    map[v1alpha1.InstallMethod]installer.Installer{v1alpha1.InstallMethodHelm: s.installer},
		Sources:       noSources{},
		Events:        &events.FakeRecorder{},
		Integrations:  listers.NewIntegrationLister(cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})),
		Metrics:       noMetrics{},
		Log:           &s.log,
		Slots:         2,
		Probe:         func(_ types.NamespacedName, after time.Duration) { s.again = after },
		Work:          func(types.NamespacedName) { s.work = true },
	}
	return s
}

// run lets the controller work for so long.
func (s *simulation) run(d time.Duration) {
	s.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		if err := s.objects.Update(s.get()); err != nil {
			s.t.Fatal(err)
		}
		s.work = false
		after, err := s.controller.Reconcile(s.ctx, s.key)
		if err != nil {
			s.t.Fatal(err)
		}
		if s.work {
			if after, err = s.controller.Operate(s.ctx, s.key); err != nil {
				s.t.Fatal(err)
			}
			after = s.again
		}
		if after == 0 && !s.work {
			// Nothing is due: only a change brings it back.
			after = time.Hour
		}
		time.Sleep(max(after, time.Millisecond))
	}
}

func (s *simulation) get() *v1alpha1.Installation {
	s.t.Helper()
	i, err := s.controller.Client.Installations(s.key.Namespace).Get(s.t.Context(), s.key.Name, metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return i
}

func (s *simulation) change(mutate func(*v1alpha1.Installation)) {
	s.t.Helper()
	i := s.get()
	i.Generation++
	mutate(i)
	if _, err := s.controller.Client.Installations(s.key.Namespace).Update(s.t.Context(), i, metav1.UpdateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *simulation) condition(kind string) metav1.Condition {
	for _, c := range s.get().Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return metav1.Condition{}
}

const weekend = 60 * time.Hour

func TestWeekendOfFailedUpgrades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.run(time.Minute)
		s.installer.applyErr = installer.Errorf(installer.ReasonNotReady, "Deployment app/app: no image")
		s.change(func(i *v1alpha1.Installation) { i.Spec.AutoInstall.HelmConfig.Version = "2.0.0" })
		s.run(weekend)
		if applies, rollbacks := s.installer.applies.Load(), s.installer.rollbacks.Load(); applies != 1+6 || rollbacks != 1 {
			t.Errorf("%d applies and %d rollbacks, want one install, an upgrade with five retries, and one rollback", applies, rollbacks)
		}
		i := s.get()
		if i.Status.Phase != v1alpha1.PhaseFailed || !strings.Contains(i.Status.Message, "no image") || !strings.Contains(i.Status.Message, "reconcile") {
			t.Errorf("phase %s, message %q, want Failed, with what failed and what to do", i.Status.Phase, i.Status.Message)
		}
		if c := s.condition(v1alpha1.ConditionRemediated); c.Reason != reasonRolledBack {
			t.Errorf("condition Remediated is %+v", c)
		}
		if !status.IsTrue(i.Status.Conditions, v1alpha1.ConditionStalled) {
			t.Error("it is not Stalled")
		}

		// A reconcile that is asked for has all the retries anew.
		s.change(func(i *v1alpha1.Installation) { i.Spec.ReconcileRequest = "again" })
		s.run(weekend)
		if applies, rollbacks := s.installer.applies.Load(), s.installer.rollbacks.Load(); applies != 1+6+6 || rollbacks != 2 {
			t.Errorf("%d applies and %d rollbacks after a reconcile was asked for, want 13 and 2", applies, rollbacks)
		}
		// And a spec that works ends it.
		s.installer.applyErr = nil
		s.change(func(i *v1alpha1.Installation) { i.Spec.AutoInstall.HelmConfig.Version = "2.0.1" })
		s.run(time.Minute)
		i = s.get()
		if status.IsTrue(i.Status.Conditions, v1alpha1.ConditionStalled) || !status.IsTrue(i.Status.Conditions, v1alpha1.ConditionInstalled) || i.Status.Retries != 0 {
			t.Errorf("after a spec that works: %+v", i.Status)
		}
	})
}

func TestWeekendOfFailedRollbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.run(time.Minute)
		s.installer.applyErr = installer.Errorf(installer.ReasonHookFailed, "job failed")
		s.installer.rollbackErr = installer.Errorf(installer.ReasonRollbackFailed, "nor did that")
		s.change(func(i *v1alpha1.Installation) { i.Spec.AutoInstall.HelmConfig.Version = "2.0.0" })
		s.run(weekend)
		if applies, rollbacks := s.installer.applies.Load(), s.installer.rollbacks.Load(); applies != 7 || rollbacks != maxRollbacks {
			t.Errorf("%d applies and %d rollbacks, want 7 and %d", applies, rollbacks, maxRollbacks)
		}
		if c := s.condition(v1alpha1.ConditionRemediated); c.Reason != reasonLeft {
			t.Errorf("condition Remediated is %+v", c)
		}
	})
}

func TestFirstInstallThatFailsIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.installer.applyErr = installer.Errorf(installer.ReasonInstallFailed, "refused")
		s.run(weekend)
		if applies, rollbacks := s.installer.applies.Load(), s.installer.rollbacks.Load(); applies != 6 || rollbacks != 0 {
			t.Errorf("%d applies and %d rollbacks, want 6 and none", applies, rollbacks)
		}
		if c := s.condition(v1alpha1.ConditionStalled); c.Status != metav1.ConditionTrue {
			t.Errorf("condition Stalled is %+v", c)
		}
	})
}

// What failed before anything reached the target heals by itself, whenever
// that is.
func TestWeekendWithoutRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.installer.applyErr = installer.Errorf(installer.ReasonRepositoryUnreachable, "no route")
		s.run(weekend)
		if applies := s.installer.applies.Load(); applies < 60*6 || applies > 60*7+10 {
			t.Errorf("%d applies in %s, want about one in ten minutes", applies, weekend)
		}
		if c := s.condition(v1alpha1.ConditionStalled); c.Status == metav1.ConditionTrue {
			t.Errorf("it gave up: %+v", c)
		}
		s.installer.applyErr = nil
		s.run(11 * time.Minute)
		if c := s.condition(v1alpha1.ConditionInstalled); c.Status != metav1.ConditionTrue {
			t.Errorf("the registry is back, and the condition Installed is %+v", c)
		}
	})
}
