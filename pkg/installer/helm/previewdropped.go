// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/object"
	"helm.sh/helm/v3/pkg/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/preview"
)

// dropped adds the objects that a release had and no longer has, those included
// that revisions left behind which failed.
func (w *previewed) dropped(before, objects []*unstructured.Unstructured, out *preview.Plan) error {
	failed, err := failedManifests(w.ctx, w.conn, w.step.name.Namespace, w.step.observed.revisions)
	if err != nil {
		return err
	}
	for _, manifest := range failed {
		left, err := manifestContent(manifest, w.step.name.Namespace, w.conn)
		if err != nil {
			return err
		}
		before = append(before, left...)
	}
	known := map[object.ObjMetadata]bool{}
	for _, obj := range objects {
		known[object.UnstructuredToObjMetadata(obj)] = true
	}
	for _, obj := range before {
		id := object.UnstructuredToObjMetadata(obj)
		if !known[id] {
			known[id] = true
			remove(id, w.step.name, w.hide, out)
		}
	}
	return nil
}

// remove adds an object that goes, unless Helm leaves it.
func remove(id object.ObjMetadata, name releaseName, hide func(string) string, out *preview.Plan) {
	if id.GroupKind == (schema.GroupKind{Group: crdGroup, Kind: crdKind}) {
		out.Note(fmt.Sprintf("CustomResourceDefinition %s stays: CRDs are never removed", id.Name))
		return
	}
	out.Removed = append(out.Removed, preview.Removal{ID: id, Hide: hide, Stays: func(live *unstructured.Unstructured) string {
		switch {
		case !isMarked(live, name):
			return "it is not the release's any more"
		case live.GetAnnotations()[kube.ResourcePolicyAnno] == kube.KeepPolicy:
			return "its annotation " + kube.ResourcePolicyAnno + " says so"
		}
		return ""
	}})
}

// previewDropped adds the objects of a release that is no longer wanted at all.
func (i *Installer) previewDropped(ctx context.Context, conn *cluster.Connection, owner installer.Owner, r v1alpha1.ReleaseStatus, out *preview.Plan) error {
	name := releaseName{Namespace: r.Namespace, Name: r.Name}
	observed, err := observe(ctx, conn, name.Namespace, name.Name)
	if err != nil {
		return err
	}
	newest, found := observed.newest()
	if !found || observed.last == nil {
		return nil
	}
	doing := fmt.Sprintf("release %s in namespace %s", name.Name, name.Namespace)
	switch holder, owned := ownerOf(newest.labels); {
	case owned && holder != owner:
		return nil
	case r.Adopted || newest.labels[LabelAdopted] == "true":
		out.Note(doing + " is no longer asked for, and stays: it was there before KSIT")
		return nil
	}
	objects, err := manifestContent(observed.last.Manifest, name.Namespace, conn)
	if err != nil {
		return err
	}
	out.Note(doing + " is no longer asked for: it is uninstalled before anything else is done")
	hide := hider(suspect(observed.last.Config, nil))
	applied := map[object.ObjMetadata]bool{}
	for _, o := range out.Objects {
		applied[object.UnstructuredToObjMetadata(o.Content)] = true
	}
	for _, obj := range objects {
		if id := object.UnstructuredToObjMetadata(obj); !applied[id] {
			remove(id, name, hide, out)
		}
	}
	return nil
}
