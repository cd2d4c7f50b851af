// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"helm.sh/helm/v3/pkg/chart"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/tracing"
)

// managedByKSIT marks the namespaces that KSIT makes.
const managedByKSIT = "ksit"

// step is a release, what the target has of it, and what is done about it.
type step struct {
	*wanted
	decision decision
	observed observation
	archive  archive
	// waiting, if set, is called ahead of every wait for what was applied.
	waiting func()
	// say tells what is done.
	say func(format string, args ...any)
}

// Apply implements installer.Installer. Everything is looked up, decided and
// downloaded before the first write: an istiod that does not exist installs no
// base.
func (i *Installer) Apply(ctx context.Context, conn *cluster.Connection, req installer.Request) (installer.Result, error) {
	if req.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, req.Timeout, errTimeout)
		defer cancel()
	}
	releases, dropped, err := plan(req)
	if err != nil {
		return installer.Result{Releases: req.Recorded}, err
	}
	steps := make([]*step, len(releases))
	for n, w := range releases {
		steps[n] = &step{wanted: w, waiting: req.Waiting, say: req.Say}
	}
	err = i.look(ctx, conn, steps)
	if err != nil {
		return i.result(ctx, conn, req, steps, dropped, false), err
	}
	changed, dropped, err := i.carryOut(ctx, conn, req, steps, dropped)
	result := i.result(ctx, conn, req, steps, dropped, changed)
	if err == nil {
		result.Values = show(steps[len(steps)-1].marked)
	}
	return result, err
}

// look observes all releases, decides about each, and gets the charts needed.
func (i *Installer) look(ctx context.Context, conn *cluster.Connection, steps []*step) error {
	if err := i.observeAll(ctx, conn, steps); err != nil {
		return err
	}
	for _, s := range steps {
		if s.decision.action == actionNone || s.decision.action == actionClaim {
			continue
		}
		if err := i.getChart(ctx, conn, s); err != nil {
			return err
		}
	}
	return nil
}

// observeAll looks at all releases, and decides about each.
func (i *Installer) observeAll(ctx context.Context, conn *cluster.Connection, steps []*step) (err error) {
	ctx, done := installer.Step(ctx, "helm observe")
	defer func() { done(err) }()
	for _, s := range steps {
		doing := fmt.Sprintf("looking at release %s in namespace %s", s.name.Name, s.name.Namespace)
		if s.observed, err = observe(ctx, conn, s.name.Namespace, s.name.Name); err == nil {
			s.decision, err = decide(s.observed, s.wish, i.now())
			if err != nil {
				doing = fmt.Sprintf("release %s in namespace %s", s.name.Name, s.name.Namespace)
			}
		}
		if err != nil {
			return classify(ctx, err, doing, s.redact)
		}
	}
	return nil
}

// getChart gets the chart of a step.
func (i *Installer) getChart(ctx context.Context, conn *cluster.Connection, s *step) (err error) {
	ctx, done := installer.Step(ctx, "helm load chart", tracing.Text("ksit.chart", s.wish.chart))
	defer func() { done(err) }()
	s.say("getting chart %s for %s", s.wish.chart, s.doing())
	if s.archive, err = i.sources.get(ctx, s.ref()); err != nil {
		return classify(ctx, err, "getting chart "+s.wish.chart, s.redact)
	}
	// That it is a chart at all is found out before anything is written. It
	// is not kept: charts wait for their turn packed.
	free, err := i.takeTurn(ctx, "reading chart "+s.wish.chart)
	if err != nil {
		return err
	}
	loaded, err := loadChart(s.archive.data, s.wish.chart)
	free()
	if err != nil {
		return err
	}
	if err := mayUpdateCRDs(ctx, conn, loaded, s.policy); err != nil {
		return classify(ctx, err, "looking at the CRDs of chart "+s.wish.chart, s.redact)
	}
	return nil
}

// carryOut does what was decided. What the request no longer wants goes first:
// a renamed release has the same objects as the one before it.
func (i *Installer) carryOut(ctx context.Context, conn *cluster.Connection, req installer.Request, steps []*step, dropped []v1alpha1.ReleaseStatus) (changed bool, left []v1alpha1.ReleaseStatus, err error) {
	for len(dropped) > 0 {
		last := dropped[len(dropped)-1]
		if err := i.uninstall(ctx, conn, req.Owner, last, false); err != nil {
			return changed, dropped, err
		}
		dropped, changed = dropped[:len(dropped)-1], true
	}
	for _, s := range steps {
		if s.decision.action == actionNone {
			continue
		}
		changed = true
		if err := i.run(ctx, conn, s); err != nil {
			return changed, nil, err
		}
	}
	return changed, nil, nil
}

// run does what was decided about one release.
func (i *Installer) run(ctx context.Context, conn *cluster.Connection, s *step) (err error) {
	ctx, done := installer.Step(ctx, strings.ToLower(fmt.Sprintf("helm %s", s.decision.action)),
		tracing.Text("ksit.release", s.name.Namespace+"/"+s.name.Name), tracing.Text("ksit.chart", s.wish.chart), tracing.Text("ksit.version", s.archive.version))
	defer func() { done(err) }()
	doing := s.doing()
	klog.FromContext(ctx).V(2).Info("Acting on a release", "target", conn.Name(), "release", s.name,
		"action", s.decision.action, "chart", s.wish.chart, "version", s.archive.version, "recover", s.decision.recover)
	if s.decision.action == actionClaim {
		newest, _ := s.observed.newest()
		return classify(ctx, label(ctx, conn, s.name.Namespace, newest.secret, ownerLabels(s.wish.owner, s.decision.adopted)), "labelling "+doing, s.redact)
	}
	free, err := i.takeTurn(ctx, doing)
	if err != nil {
		return err
	}
	defer free()
	loaded, err := loadChart(s.archive.data, s.wish.chart)
	if err != nil {
		return err
	}
	r := s.rollout(loaded)

	s.say("%s of %s: chart %s %s", s.decision.action, doing, s.wish.chart, s.archive.version)
	if s.decision.action == actionReinstall {
		o := i.newOperation(ctx, conn, s.name, s.redact)
		o.tell(s, free)
		err := o.uninstall()
		o.close()
		if err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	o := i.newOperation(ctx, conn, s.name, s.redact)
	defer o.close()
	o.tell(s, free)
	if s.decision.recover {
		s.say("taking up revision %d, whose process ended", s.observed.revisions[len(s.observed.revisions)-1].number)
		if err := o.recoverPending(s.observed.revisions); err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	if s.decision.action == actionUpgrade {
		if err := o.burial(s.observed.revisions); err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	switch s.decision.action {
	case actionUpgrade:
		err = o.upgrade(r)
	case actionReplace:
		err = o.install(r, true)
	default:
		err = o.install(r, false)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// waits is what is called ahead of a wait: it also gives back the turn.
func (s *step) waits(free func()) func() {
	return func() {
		free()
		if s.waiting != nil {
			s.waiting()
		}
	}
}

// takeTurn waits until a chart may be unpacked and rendered. The caller frees the
// turn when that is done, and before it waits for anything on the target: a
// chart that never becomes ready must not keep others waiting.
func (i *Installer) takeTurn(ctx context.Context, doing string) (free func(), err error) {
	select {
	case i.renders <- struct{}{}:
		return sync.OnceFunc(func() { <-i.renders }), nil
	case <-ctx.Done():
		return nil, interrupted(ctx, doing)
	}
}

// rollout is what a step brings, with its chart.
func (s *step) rollout(loaded *chart.Chart) rollout {
	r := rollout{
		chart: loaded, archive: s.archive.data, values: s.wish.values, policy: s.policy,
		labels: ownerLabels(s.wish.owner, s.decision.adopted),
	}
	if s.decision.action == actionUpgrade {
		newest, _ := s.observed.newest()
		r.follows = newest.number
	}
	return r
}

func (i *Installer) newOperation(ctx context.Context, conn *cluster.Connection, name releaseName, redact *redactor) *operation {
	o := newOperation(ctx, conn, name, redact)
	o.caps, o.rewrites, o.renderer, o.lookups = i.caps, i.rewrites, i.renderer, i.lookups
	return o
}

// result says what stands on the target. It is asked even when the operation was
// interrupted; where it does not answer, what is recorded stands.
func (i *Installer) result(ctx context.Context, conn *cluster.Connection, req installer.Request, steps []*step, dropped []v1alpha1.ReleaseStatus, changed bool) installer.Result {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordGrace)
	defer cancel()
	out := installer.Result{Changed: changed}
	for _, s := range steps {
		o := s.observed
		if changed || o.last == nil {
			var err error
			if o, err = observe(ctx, conn, s.name.Namespace, s.name.Name); err != nil {
				out.Releases = append(out.Releases, recorded(req, s.name)...)
				continue
			}
		}
		newest, found := o.newest()
		if !found || o.last == nil {
			continue
		}
		holder, owned := ownerOf(newest.labels)
		if owned && holder != s.wish.owner {
			continue
		}
		if !owned && !s.wish.recorded && s.decision.action != actionUpgrade && s.decision.action != actionClaim {
			// Somebody else's: it must not be taken for ours when we clean up.
			continue
		}
		status := v1alpha1.ReleaseStatus{
			Name: s.name.Name, Namespace: s.name.Namespace,
			Chart: o.last.chartName(), Version: o.last.chartVersion(), AppVersion: shorten(o.last.Chart.Metadata.AppVersion, 128),
			Revision: int64(newest.number),
			Adopted:  newest.labels[LabelAdopted] == "true",
			Objects:  countObjects(o.last.Manifest),
		}
		if !owned {
			status.Adopted = s.decision.adopted || s.wish.adopted
		}
		// Values that cannot be written as JSON were never installed.
		status.Digest, _ = digest(status.Chart, status.Version, o.last.Config, s.policy)
		out.Releases = append(out.Releases, status)
	}
	out.Releases = append(out.Releases, dropped...)
	return out
}

// recorded returns what the status has of a release, if anything.
func recorded(req installer.Request, name releaseName) []v1alpha1.ReleaseStatus {
	for _, r := range req.Recorded {
		if (releaseName{Namespace: r.Namespace, Name: r.Name}) == name {
			return []v1alpha1.ReleaseStatus{r}
		}
	}
	return nil
}

// ensureNamespace makes a namespace where there is none.
func ensureNamespace(ctx context.Context, conn *cluster.Connection, name string) error {
	client := conn.Kubernetes().CoreV1().Namespaces()
	existing, err := client.Get(ctx, name, metav1.GetOptions{})
	switch {
	case err == nil && existing.Status.Phase == corev1.NamespaceTerminating:
		return installer.Errorf(installer.ReasonInstallFailed, "it is being deleted on the target")
	case err == nil, apierrors.IsForbidden(err):
		// Who may not read namespaces may still install into this one.
		return nil
	case !apierrors.IsNotFound(err):
		return err
	}
	_, err = client.Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{labelManagedBy: managedByKSIT}},
	}, metav1.CreateOptions{FieldManager: FieldManager})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// label sets labels of the Secret of a revision; empty ones are taken away.
func label(ctx context.Context, conn *cluster.Connection, namespace, secret string, labels map[string]string) error {
	values := map[string]any{}
	for k, v := range labels {
		if values[k] = v; v == "" {
			values[k] = nil
		}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": values}})
	if err != nil {
		return err
	}
	_, err = conn.Metadata().Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace).
		Patch(ctx, secret, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
	return err
}
