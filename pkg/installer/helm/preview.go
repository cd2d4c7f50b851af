// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"fmt"

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
		steps[n] = &step{wanted: w, say: req.Say}
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
	r := s.rollout(loaded)
	newest, standing := s.observed.newest()
	rendered, crds, err := o.rendering(r)
	if err != nil {
		return err
	}
	rewritten, err := rewriteImages(o.rewrites, []byte(rendered.Manifest))
	if err != nil {
		return err
	}
	if err := fits(s.name, r, rewritten); err != nil {
		return err
	}
	manifest := string(rewritten)
	if n := len(rendered.Hooks); n > 0 {
		out.Note(fmt.Sprintf("%s has %d hooks: they are not run, and what they do is not known", s.doing(), n))
	}
	status := v1alpha1.ReleaseStatus{
		Name: s.name.Name, Namespace: s.name.Namespace, Chart: loaded.Name(), Version: loaded.Metadata.Version,
		AppVersion: shorten(loaded.Metadata.AppVersion, 128), Revision: 1,
		Adopted: s.decision.adopted, Objects: countObjects(manifest),
	}
	if standing {
		status.Revision = int64(newest.number) + 1
	}
	status.Digest, err = digest(status.Chart, status.Version, s.wish.values, s.policy)
	if err != nil {
		return err
	}
	out.Releases = append(out.Releases, status)
	return w.rolledOut(manifest, crds, out)
}
