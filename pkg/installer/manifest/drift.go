// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/drift"
	"ksit.io/ksit/pkg/installer"
)

// Drift implements installer.Installer. A release of which it is not known what
// was applied is not compared.
func (i *Installer) Drift(ctx context.Context, conn *cluster.Connection, check installer.DriftCheck) (installer.Drift, error) {
	return i.eachApplied(ctx, conn, check, func(_ *release, applied drift.Release) ([]drift.Finding, error) {
		return i.drift.Check(ctx, conn, applied)
	})
}

// Correct implements installer.Installer. It applies what differs again, as the
// same manager.
func (i *Installer) Correct(ctx context.Context, conn *cluster.Connection, check installer.DriftCheck) (installer.Drift, error) {
	return i.eachApplied(ctx, conn, check, func(r *release, applied drift.Release) ([]drift.Finding, error) {
		return i.drift.Correct(ctx, conn, applied, r.refuseCorrection, r.reapply)
	})
}

// eachApplied calls do with every release that stands as a whole, and returns
// the findings of all, next to the first error.
func (i *Installer) eachApplied(ctx context.Context, conn *cluster.Connection, check installer.DriftCheck, do func(*release, drift.Release) ([]drift.Finding, error)) (installer.Drift, error) {
	var findings []drift.Finding
	var first error
	for _, status := range check.Releases {
		r := newRelease(conn, check.Owner, status.Namespace, status.Name)
		err := r.read(ctx)
		if err == nil && r.stored != nil && r.stored.Applying == "" {
			var found []drift.Finding
			found, err = do(r, r.compared(check.Ignore))
			findings = append(findings, found...)
		}
		if err != nil && first == nil {
			first = r.explain(ctx, fmt.Errorf("drift of the release %s/%s: %w", r.namespace, r.name, err))
		}
	}
	return drift.Summary(findings), first
}

// compared returns the release as it is compared.
func (r *release) compared(ignore []v1alpha1.DriftIgnore) drift.Release {
	return drift.Release{
		NamespacedName: types.NamespacedName{Namespace: r.namespace, Name: r.name},
		Revision:       string(r.configMap.UID) + "/" + r.configMap.ResourceVersion,
		Ignore:         ignore,
		Load:           r.applied,
	}
}

// refuseCorrection refuses an object that is another Integration's by now. A
// namespace may be used by several.
func (r *release) refuseCorrection(live *unstructured.Unstructured) error {
	owner, owned := ownerOf(live.GetLabels())
	if !owned || owner == r.owner || live.GroupVersionKind().GroupKind() == namespaceKind {
		return nil
	}
	return installer.Terminalf(installer.ReasonReleaseConflict, "it belongs to the Integration %s by now: take it out of one of the two", owner)
}

// reapply sets one object right.
func (r *release) reapply(ctx context.Context, d *drift.Difference) error {
	shared := false
	if d.ID.GroupKind == namespaceKind {
		if d.Live != nil {
			owner, owned := ownerOf(d.Live.GetLabels())
			shared = owned && owner != r.owner
		}
		if !shared {
			adopted := slices.ContainsFunc(r.stored.Objects, func(e entry) bool { return e.Adopted && e.ref() == d.ID })
			r.mark(d.Applied, adopted)
		}
	}
	return d.Reapply(ctx, r.manager(shared))
}
