// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/object"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/preview"
)

// Preview implements installer.Previewer.
func (i *Installer) Preview(ctx context.Context, conn *cluster.Connection, req installer.Request) (*preview.Plan, error) {
	r := requested(conn, req)
	plan, err := i.preview(ctx, r, req)
	if err != nil {
		return nil, r.explain(ctx, err)
	}
	return plan, nil
}

func (i *Installer) preview(ctx context.Context, r *release, req installer.Request) (*preview.Plan, error) {
	content, err := i.load(ctx, req)
	if err != nil {
		return nil, err
	}
	objects, err := parse(content.data)
	if err != nil {
		return nil, fmt.Errorf("the manifests of %s: %w", content.source, err)
	}
	for _, obj := range objects {
		i.options.Rewrites.Images(obj)
	}
	if err := r.prepare(objects); err != nil {
		return nil, err
	}
	r.record.Source, r.record.Version = content.source, content.version
	if err := r.read(ctx); err != nil {
		return nil, err
	}
	var former inventory
	if r.stored != nil {
		former = *r.stored
	}
	seen, err := r.observe(ctx, union(former.refs(), r.refs()))
	if err != nil {
		return nil, err
	}
	if err := r.refuseOthers(seen); err != nil {
		return nil, err
	}
	settled := former.Digest == r.record.Digest && former.Applying == ""
	if settled {
		if settled, err = r.complete(ctx, seen); err != nil {
			return nil, err
		}
	}
	if err := r.keepStoredVersions(ctx); err != nil {
		return nil, err
	}
	plan := &preview.Plan{Namespaces: []string{r.namespace}, Releases: []v1alpha1.ReleaseStatus{r.next(former)}}
	for _, it := range r.items {
		if it.ref.GroupKind == namespaceKind {
			plan.Namespaces = append(plan.Namespaces, it.ref.Name)
		}
		plan.Objects = append(plan.Objects, preview.Object{Content: r.marked(it, false), Settled: settled, DryRun: r.dryRunOf(it, former)})
	}
	r.planRemoval(without(former.Objects, r.refs()), plan)
	return plan, r.planFormer(ctx, req.Recorded, plan)
}

// next is what the status would say of the release.
func (r *release) next(former inventory) v1alpha1.ReleaseStatus {
	revision := former.Revision
	if former.Digest != r.record.Digest {
		revision++
	}
	version := r.record.Version
	if version == "" {
		version = shortDigest(r.record.Digest)
	}
	return v1alpha1.ReleaseStatus{
		Name: r.name, Namespace: r.namespace, Chart: r.record.Source, Version: version,
		Revision: revision, Digest: r.record.Digest, Objects: int32(len(r.items)),
	}
}

// marked is an object as it is applied.
func (r *release) marked(it *item, adopted bool) *unstructured.Unstructured {
	obj := it.obj.DeepCopy()
	if !it.shared {
		r.mark(obj, adopted)
	}
	return obj
}

// dryRunOf applies an object as applyItem does, as a dry run.
func (r *release) dryRunOf(it *item, former inventory) func(context.Context, *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return func(ctx context.Context, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		adopted, err := r.adopts(it, live, former)
		if err != nil {
			return nil, &preview.Refusal{Reason: err.Error()}
		}
		obj := r.marked(it, adopted)
		mapping, err := r.kinds.mapping(it.ref.GroupKind, obj.GroupVersionKind().Version)
		if err != nil {
			return nil, err
		}
		var client dynamic.ResourceInterface = r.conn.Dynamic().Resource(mapping.Resource)
		if it.ref.Namespace != "" {
			client = r.conn.Dynamic().Resource(mapping.Resource).Namespace(it.ref.Namespace)
		}
		result, err := client.Apply(ctx, it.ref.Name, obj,
			metav1.ApplyOptions{FieldManager: r.manager(it.shared), Force: true, DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return nil, plain(it.ref, err)
		}
		return result, nil
	}
}

// adopts tells whether an object was there before KSIT, and fails where it may
// not be taken over: see rehearseItem.
func (r *release) adopts(it *item, live *unstructured.Unstructured, former inventory) (bool, error) {
	if live == nil {
		return false, nil
	}
	owner, owned := ownerOf(live.GetLabels())
	switch {
	case owned && owner == r.owner:
		for _, e := range former.Objects {
			if e.Adopted && e.ref() == it.ref {
				return true, nil
			}
		}
		return live.GetLabels()[labelAdopted] == "true", nil
	case owned && !it.shared:
		return false, conflict(it.ref, owner)
	case r.refuseFound && !kept(it.ref.GroupKind):
		return false, foundRefused(it.ref)
	}
	// Namespaces are applied before anybody looks whether they were there.
	return it.ref.GroupKind != namespaceKind, nil
}

func foundRefused(ref object.ObjMetadata) error {
	return installer.Terminalf(installer.ReasonReleaseConflict,
		"%s is there already, and spec.autoInstall.adoptionPolicy is Refuse: remove it, take it out of the manifests, or set the policy to Adopt", describe(ref))
}

// planRemoval adds what is no longer in the manifests.
func (r *release) planRemoval(entries []entry, plan *preview.Plan) {
	for _, e := range entries {
		if kept(e.ref().GroupKind) {
			plan.Note(describe(e.ref()) + " stays: CRDs and namespaces are never removed")
			continue
		}
		plan.Removed = append(plan.Removed, preview.Removal{ID: e.ref(), Stays: func(live *unstructured.Unstructured) string {
			owner, owned := ownerOf(live.GetLabels())
			switch {
			case !owned || owner != r.owner:
				return "it is not this Integration's any more"
			case e.Adopted || live.GetLabels()[labelAdopted] == "true":
				return "it was there before KSIT"
			}
			return ""
		}})
	}
}

// planFormer adds what an earlier spec put elsewhere: see removeFormer.
func (r *release) planFormer(ctx context.Context, recorded []v1alpha1.ReleaseStatus, plan *preview.Plan) error {
	for _, status := range recorded {
		if status.Name == r.name && status.Namespace == r.namespace {
			continue
		}
		former := newRelease(r.conn, r.owner, status.Namespace, status.Name)
		if err := former.read(ctx); err != nil {
			return err
		}
		if former.stored != nil {
			r.planRemoval(without(former.stored.Objects, r.refs()), plan)
		}
	}
	return nil
}
