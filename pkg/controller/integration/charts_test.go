// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// repository answers with what it is set to.
type repository struct {
	installer.Versions

	err   error
	asked int
}

func (r *repository) Resolve(context.Context, *v1alpha1.HelmConfig, installer.Sources) (installer.Versions, error) {
	r.asked++
	return r.Versions, r.err
}

// withCharts adds the workers that ask repositories.
func (w *world) withCharts(r *repository) {
	w.controller.Charts = &Charts{
		Client: w.controller.Client, Integrations: w.controller.Integrations, Installations: w.controller.Installations,
		Sources: w.sources, Resolver: r, Events: w.events, Changed: func(types.NamespacedName) {},
	}
}

func (w *world) resolve() (time.Duration, error) {
	w.t.Helper()
	w.sync()
	return w.controller.Charts.Reconcile(w.t.Context(), worldKey)
}

// versionEvents counts the events that tell of newer versions.
func (w *world) versionEvents() int {
	n := 0
	for {
		select {
		case event := <-w.events.Events:
			if strings.Contains(event, "NewerVersion") {
				n++
			}
		default:
			return n
		}
	}
}

// forget has a check for newer versions be due.
func (w *world) due() {
	w.change(func(i *v1alpha1.Integration) {
		i.Status.ResolvedChart.CheckedAt = &metav1.Time{Time: time.Now().Add(-2 * time.Hour)}
	})
}

func TestARangeIsResolvedOnce(t *testing.T) {
	r := &repository{Versions: installer.Versions{Match: "5.51.6", Newest: "5.51.6"}}
	w := newWorld(t, version("~5.51"), "a")
	w.withCharts(r)
	w.reconcile()
	w.expectTargets(w.names(everyOne))
	w.expectStatus(v1alpha1.PhasePending, 0, "asking the repository what version ~5.51 of chart argo-cd stands for")
	after, err := w.resolve()
	if err != nil || after <= 50*time.Minute || after > time.Hour {
		t.Fatalf("looks again after %s, error %v", after, err)
	}
	w.reconcile()
	w.expectTargets(w.hasVersion("5.51.6"), "a")
	w.ends("a", v1alpha1.PhaseRunning)
	if after, err := w.resolve(); err != nil || r.asked != 1 || after < 50*time.Minute {
		t.Errorf("asked %d times, looks again after %s (error %v)", r.asked, after, err)
	}

	// A newer one is noted, told of once, and not installed.
	r.Versions = installer.Versions{Match: "5.51.7", Newest: "6.0.0"}
	for range 2 {
		w.due()
		if _, err := w.resolve(); err != nil {
			t.Fatal(err)
		}
		w.reconcile()
	}
	w.expectTargets(w.hasVersion("5.51.6"), "a")
	resolved := w.integration().Status.ResolvedChart
	if resolved.Version != "5.51.6" || resolved.Newer != "5.51.7" || resolved.Newest != "6.0.0" {
		t.Errorf("resolved: %+v", resolved)
	}
	w.expectStatus(v1alpha1.PhaseRunning, 1, "version 5.51.7 of chart argo-cd is out, and within the range ~5.51")
	if n := w.versionEvents(); n != 1 {
		t.Errorf("%d events tell of the newer version", n)
	}

	// Another range is another question.
	w.change(version("^5.50"))
	w.reconcile()
	w.expectTargets(w.hasVersion("5.51.6"), "a")
	w.expectStatus(v1alpha1.PhaseUpgrading, 1, "asking the repository")
	if _, err := w.resolve(); err != nil {
		t.Fatal(err)
	}
	w.reconcile()
	w.expectTargets(w.hasVersion("5.51.7"), "a")
}

func TestARangeThatCannotBeResolvedGoesToTheInstallers(t *testing.T) {
	r := &repository{err: errors.New("no route to host")}
	w := newWorld(t, version("~5.51"), "a")
	w.withCharts(r)
	w.reconcile()
	if _, err := w.resolve(); err == nil {
		t.Fatal("a failure is not tried again")
	}
	w.reconcile()
	w.expectTargets(w.hasVersion("~5.51"), "a")

	// The installer found one by itself. That is what the range stands for.
	i := w.installation("a")
	i.Status.Releases = []v1alpha1.ReleaseStatus{{Name: "argocd", Chart: "argo-cd", Version: "5.51.5"}}
	w.check(w.client.Tracker().Update(v1alpha1.SchemeGroupVersion.WithResource("installations"), i, "ns"))
	if _, err := w.resolve(); err != nil {
		t.Fatal(err)
	}
	w.reconcile()
	w.expectTargets(w.hasVersion("5.51.5"), "a")
	r.err, r.Versions = nil, installer.Versions{Match: "5.51.7", Newest: "5.51.7"}
	if _, err := w.resolve(); err != nil {
		t.Fatal(err)
	}
	if resolved := w.integration().Status.ResolvedChart; resolved.Version != "5.51.5" || resolved.Newer != "5.51.7" {
		t.Errorf("resolved: %+v", resolved)
	}
}

func TestExactVersionsNeedNoRepository(t *testing.T) {
	r := &repository{err: errors.New("no route to host")}
	w := newWorld(t, version("5.51.6"), "a")
	w.withCharts(r)
	w.reconcile()
	w.expectTargets(w.hasVersion("5.51.6"), "a")
	if after, err := w.resolve(); err != nil || after > newerRetry {
		t.Errorf("looks again after %s, error %v", after, err)
	}
	r.err, r.Versions = nil, installer.Versions{Match: "5.51.6", Newest: "6.0.0"}
	if _, err := w.resolve(); err != nil {
		t.Fatal(err)
	}
	w.ends("a", v1alpha1.PhaseRunning)
	w.reconcile()
	w.expectStatus(v1alpha1.PhaseRunning, 1, "version 6.0.0 of chart argo-cd is out")
}

func TestNobodyAsksForWhatIsNotInstalled(t *testing.T) {
	for name, mutate := range map[string]func(*v1alpha1.Integration){
		"disabled":      func(i *v1alpha1.Integration) { i.Spec.Enabled = new(bool) },
		"only probed":   func(i *v1alpha1.Integration) { i.Spec.AutoInstall.Enabled = false },
		"no chart":      func(i *v1alpha1.Integration) { i.Spec.AutoInstall = nil },
		"manifests":     func(i *v1alpha1.Integration) { i.Spec.AutoInstall.Method = v1alpha1.InstallMethodManifest },
		"being deleted": func(i *v1alpha1.Integration) { i.DeletionTimestamp = &metav1.Time{Time: time.Now()} },
	} {
		t.Run(name, func(t *testing.T) {
			r := &repository{}
			w := newWorld(t, mutate, "a")
			w.withCharts(r)
			if after, err := w.resolve(); err != nil || after != 0 || r.asked != 0 {
				t.Errorf("asked %d times, looks again after %s, error %v", r.asked, after, err)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	for text, exact := range map[string]bool{"5.51.6": true, "v1.2.3": true, "1.2.3-rc.1": true, "5.51": false, "~5.51": false, "": false, "*": false} {
		if isExact(text) != exact {
			t.Errorf("%q is exact: %v", text, !exact)
		}
	}
	for _, tc := range []struct{ wanted, versions, want string }{
		{"~5.51", "5.50.0 5.51.3 5.51.10 5.52.0", "5.51.10"},
		{"~5.51", "5.50.0", ""},
		{"", "1.0.0 v2.0.0", "v2.0.0"},
		{"~1", "none 1.1.0-rc.1", ""},
		{"no range", "1.0.0", ""},
	} {
		if got := newestAdmitted(tc.wanted, strings.Fields(tc.versions)); got != tc.want {
			t.Errorf("the newest of %s that %q admits: %q, want %q", tc.versions, tc.wanted, got, tc.want)
		}
	}
}
