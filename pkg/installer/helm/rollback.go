// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/release"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/tracing"
)

// Rollback implements installer.Installer. CRDs stay as they are: an older one
// could lose fields, or versions, of what is stored by now.
func (i *Installer) Rollback(ctx context.Context, conn *cluster.Connection, req installer.Request) (installer.Result, error) {
	if req.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, req.Timeout, errTimeout)
		defer cancel()
	}
	steps, dropped, err := planRollback(req)
	if err != nil {
		return installer.Result{Releases: req.Recorded}, err
	}
	if req.To != nil {
		return i.rollBackTo(ctx, conn, req, steps, dropped)
	}
	changed, err := i.rollBack(ctx, conn, req, steps)
	return i.result(ctx, conn, req, steps, dropped, changed), installer.RollbackError(err)
}

// planRollback names the releases of a request, and what is recorded besides. It
// needs no more than their names: values that are wrong by now are no reason not
// to bring back older ones. Where they are right, they are kept out of messages.
func planRollback(req installer.Request) ([]*step, []v1alpha1.ReleaseStatus, error) {
	if req.AutoInstall == nil || req.AutoInstall.HelmConfig == nil {
		return nil, nil, installer.Terminalf(installer.ReasonNothingToRollBack, "no chart is named")
	}
	marked, err := chartValues(req)
	if err != nil {
		marked = nil
	}
	var steps []*step
	var releases []*wanted
	for _, c := range chartsInOrder(req) {
		w := &wanted{
			name:   releaseName{Namespace: req.Namespace, Name: c.release},
			wish:   wish{owner: req.Owner, chart: c.chart},
			policy: cmp.Or(req.AutoInstall.CRDPolicy, v1alpha1.CRDPolicyCreateReplace),
			marked: marked,
			redact: newRedactor(marked, c.release, req.Namespace, c.chart),
		}
		for _, r := range recorded(req, w.name) {
			w.wish.recorded, w.wish.adopted = true, r.Adopted
		}
		releases, steps = append(releases, w), append(steps, &step{wanted: w, waiting: req.Waiting, say: req.Say})
	}
	return steps, unwanted(req, releases), nil
}

// rollBack looks at all releases, and then brings back those that have something
// to go back to, the last one first.
func (i *Installer) rollBack(ctx context.Context, conn *cluster.Connection, req installer.Request, steps []*step) (changed bool, err error) {
	ways := make([]wayBack, len(steps))
	var none []string
	for n, s := range steps {
		revisions, err := listRevisions(ctx, conn, s.name.Namespace, releaseQuery(s.name.Name))
		if err == nil {
			ways[n], err = findWayBack(revisions, s.wish, i.now())
		}
		switch {
		case installer.ReasonOf(err) == installer.ReasonNothingToRollBack:
			none = append(none, err.Error())
		case err != nil:
			return false, classify(ctx, err, s.doing(), s.redact)
		}
	}
	for n := len(steps) - 1; n >= 0; n-- {
		if ways[n].to == 0 {
			continue
		}
		changed = true
		if err := i.bringBack(ctx, conn, steps[n], ways[n]); err != nil {
			return changed, fmt.Errorf("%s: %w", steps[n].doing(), err)
		}
	}
	if len(none) > 0 {
		return changed, installer.Terminalf(installer.ReasonNothingToRollBack, "%s", strings.Join(none, "; "))
	}
	return changed, nil
}

// bringBack rolls one release back.
func (i *Installer) bringBack(ctx context.Context, conn *cluster.Connection, s *step, way wayBack) (err error) {
	ctx, done := installer.Step(ctx, "helm rollback", tracing.Text("ksit.release", s.name.Namespace+"/"+s.name.Name), attribute.Int("ksit.revision", way.to))
	defer func() { done(err) }()
	klog.FromContext(ctx).V(2).Info("Rolling back a release", "target", conn.Name(), "release", s.name, "to", way.to, "recover", way.recover)
	free, err := i.takeTurn(ctx, s.doing())
	if err != nil {
		return err
	}
	defer free()
	s.say("rolling back %s to revision %d", s.doing(), way.to)
	o := i.newOperation(ctx, conn, s.name, s.redact)
	defer o.close()
	o.tell(s, free)
	if way.recover {
		if err := o.recoverPending(way.revisions); err != nil {
			return err
		}
	}
	return o.rollBack(way, ownerLabels(s.wish.owner, way.adopted), s.marked)
}

func (s *step) doing() string {
	return fmt.Sprintf("release %s in namespace %s", s.name.Name, s.name.Namespace)
}

// rollBack makes a new revision of a good one. What was asked for, and the values
// of the good one, are kept out of messages.
func (o *operation) rollBack(way wayBack, labels map[string]string, asked map[string]any) error {
	newest := way.revisions[len(way.revisions)-1]
	good, err := o.config.Releases.Get(o.release.Name, way.to)
	if err != nil {
		return classify(o.ctx, err, fmt.Sprintf("reading revision %d", way.to), o.redact)
	}
	o.redact = newRedactor(map[string]any{"asked": asked, "standing": concealAlike(good.Config, asked)}, o.release.Name, o.release.Namespace, good.Chart.Name())
	if err := o.burial(way.revisions[:len(way.revisions)-1]); err != nil {
		return err
	}
	o.client.goingBack = true
	if newest.status != release.StatusDeployed {
		o.driver.failed = newest.number
	}
	// The labels of the good one are from its time: it may have had no owner.
	o.driver.prepare = func(rel *release.Release) error {
		all := maps.Clone(labels)
		for key, value := range rel.Labels {
			if _, found := all[key]; !found {
				all[key] = value
			}
		}
		rel.Labels = all
		return nil
	}
	a := action.NewRollback(o.config)
	a.Version, a.MaxHistory = way.to, maxHistory
	a.Wait, a.Timeout = true, o.timeLeft()
	err = o.do("rolling back", func() error { return a.Run(o.release.Name) })
	if err != nil && o.driver.ctx.Err() == nil {
		o.failPending()
	}
	return err
}

// failPending marks the newest revision failed where Helm left it pending, as it
// does after a hook of a rollback. Where that fails too, it is found pending, and
// its process dead.
func (o *operation) failPending() {
	rel, err := o.config.Releases.Last(o.release.Name)
	if err == nil && rel.Info.Status.IsPending() {
		rel.SetStatus(release.StatusFailed, "Rollback failed")
		err = o.config.Releases.Update(rel)
	}
	if err != nil {
		klog.FromContext(o.ctx).V(2).Info("The end of a rollback was not recorded", "release", o.release, "err", o.redact.text(err.Error()))
	}
}
