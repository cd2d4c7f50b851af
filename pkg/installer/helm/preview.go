// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/preview"
)

// Preview implements installer.Previewer. It looks, decides and renders as Apply
// does.
func (i *Installer) Preview(ctx context.Context, conn *cluster.Connection, req installer.Request) (*preview.Plan, error) {
	releases, dropped, err := plan(req)
	if err != nil {
		return nil, err
	}
	steps := make([]*step, len(releases))
	for n, w := range releases {
		steps[n] = &step{wanted: w}
	}
	if err := i.look(ctx, conn, steps); err != nil {
		return nil, err
	}
	out := &preview.Plan{Namespaces: []string{req.Namespace}}
	for _, s := range steps {
		if err := i.previewRelease(ctx, conn, s, out); err != nil {
			return nil, classify(ctx, err, s.doing(), s.redact)
		}
	}
	for _, r := range dropped {
		if err := i.previewDropped(ctx, conn, req.Owner, r, out); err != nil {
			return nil, classify(ctx, err, fmt.Sprintf("release %s in namespace %s", r.Name, r.Namespace), nil)
		}
	}
	return out, nil
}

// previewRelease adds what would be done about one release.
func (i *Installer) previewRelease(ctx context.Context, conn *cluster.Connection, s *step, out *preview.Plan) error {
	w := &previewed{ctx: ctx, conn: conn, step: s, hide: hider(s.marked)}
	var err error
	if w.former, err = w.standing(); err != nil {
		return err
	}
	if last := s.observed.last; last != nil {
		// What was secret before a Secret changed is in there as well.
		if old, ok := concealAlike(last.Config, s.marked).(map[string]any); ok {
			w.hide = hider(s.marked, old)
		}
	}
	if s.decision.action == actionNone || s.decision.action == actionClaim {
		return w.settled(out)
	}
	if s.decision.action == actionReinstall {
		out.Note(s.doing() + ": an uninstall of it was cut short: it is brought to its end, and everything is made anew")
	}
	free, err := i.takeTurn(ctx, s.doing())
	if err != nil {
		return err
	}
	defer free()
	loaded, err := loadChart(s.archive.data, s.wish.chart)
	if err != nil {
		return err
	}
	o := i.newOperation(ctx, conn, s.name, s.redact)
	defer o.close()
	r := rollout{chart: loaded, values: s.wish.values, policy: s.policy, labels: ownerLabels(s.wish.owner, s.decision.adopted)}
	rendered, crds, err := o.render(r, s.decision.action == actionUpgrade)
	if err != nil {
		return err
	}
	if err := fits(s.name, r, []byte(rendered.Manifest)); err != nil {
		return err
	}
	if n := len(rendered.Hooks); n > 0 {
		out.Note(fmt.Sprintf("%s has %d hooks: they are not run, and what they do is not known", s.doing(), n))
	}
	status := v1alpha1.ReleaseStatus{
		Name: s.name.Name, Namespace: s.name.Namespace, Chart: loaded.Name(), Version: loaded.Metadata.Version,
		AppVersion: shorten(loaded.Metadata.AppVersion, 128), Revision: 1,
		Adopted: s.decision.adopted, Objects: countObjects(rendered.Manifest),
	}
	if newest, found := s.observed.newest(); found {
		status.Revision = int64(newest.number) + 1
	}
	status.Digest, err = digest(status.Chart, status.Version, s.wish.values, s.policy)
	if err != nil {
		return err
	}
	out.Releases = append(out.Releases, status)
	return w.rolledOut(rendered.Manifest, crds, out)
}

// render renders a chart as an install or upgrade does, and stops before the
// first write. It returns the CRDs of crds/ besides.
func (o *operation) render(r rollout, upgrade bool) (*release.Release, []crd, error) {
	var crds []crd
	if r.policy != v1alpha1.CRDPolicySkip {
		var err error
		if crds, err = chartCRDs(r.chart); err != nil {
			return nil, nil, err
		}
	}
	caps, err := o.caps.get(o.ctx, o.conn, crds)
	if err != nil {
		return nil, nil, classify(o.ctx, err, "asking the target what it serves", o.redact)
	}
	o.config.Capabilities = caps
	o.config.Releases = storage.Init(previewDriver{o.driver})
	o.config.KubeClient = blindClient{o.client}
	progress := &postRenderer{operation: o, rollout: r}
	var rendered *release.Release
	err = o.rollOut(progress, "rendering", func() (err error) {
		// From the server: templates may look at the target, as they will.
		const dryRun = "server"
		if upgrade {
			a := action.NewUpgrade(o.config)
			a.Namespace, a.Labels, a.ResetValues = o.release.Namespace, r.labels, true
			a.DryRun, a.DryRunOption = true, dryRun
			a.SkipCRDs, a.DisableOpenAPIValidation, a.PostRenderer = true, true, previewRenderer{progress}
			rendered, err = a.Run(o.release.Name, r.chart, r.values)
			return err
		}
		a := action.NewInstall(o.config)
		a.ReleaseName, a.Namespace, a.Replace, a.Labels = o.release.Name, o.release.Namespace, true, r.labels
		a.DryRun, a.DryRunOption = true, dryRun
		a.SkipCRDs, a.DisableOpenAPIValidation, a.PostRenderer = true, true, previewRenderer{progress}
		rendered, err = a.Run(r.chart, r.values)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return rendered, crds, nil
}

// previewRenderer does what the post-renderer does without writing.
type previewRenderer struct{ progress *postRenderer }

// Run rewrites images.
func (p previewRenderer) Run(manifest *bytes.Buffer) (*bytes.Buffer, error) {
	p.progress.rendered = true
	o := p.progress.operation
	rewritten, err := rewriteImages(o.rewrites, manifest.Bytes())
	if err != nil {
		return nil, o.client.keep(err)
	}
	return bytes.NewBuffer(slices.Clone(rewritten)), nil
}
