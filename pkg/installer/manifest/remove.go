// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// maxNamed bounds the objects that a message names.
const maxNamed = 5

// uninstall removes what the inventory names, except what keep names, and all
// that KSIT keeps about it. What was there before KSIT stays, unless adopted is
// true.
func (r *release) uninstall(ctx context.Context, keep object.ObjMetadataSet, adopted bool) error {
	if err := r.read(ctx); err != nil {
		return err
	}
	if r.stored != nil {
		if err := r.remove(ctx, without(r.stored.Objects, keep), adopted); err != nil {
			return err
		}
	}
	return r.forget(ctx)
}

// removeFormer uninstalls a release that an earlier spec put elsewhere, except
// for what belongs to this one. It returns false for one that has no inventory:
// that is none of this package's.
func (r *release) removeFormer(ctx context.Context, recorded v1alpha1.ReleaseStatus) (gone bool, err error) {
	former := newRelease(r.conn, r.owner, recorded.Namespace, recorded.Name)
	if err := former.read(ctx); err != nil || former.stored == nil {
		return false, err
	}
	if err := former.uninstall(ctx, r.refs(), false); err != nil {
		return false, fmt.Errorf("uninstalling %s/%s, where the release was before: %w", former.namespace, former.name, err)
	}
	return true, nil
}

// remove deletes objects, the last stage first, and waits until each stage is
// gone. What is kept, or adopted and not to go as well, loses our labels instead,
// and what does not have them is left alone.
func (r *release) remove(ctx context.Context, entries []entry, adoptedToo bool) error {
	refs := make(object.ObjMetadataSet, 0, len(entries))
	adopted := map[object.ObjMetadata]bool{}
	for _, e := range entries {
		refs = append(refs, e.ref())
		adopted[e.ref()] = e.Adopted
	}
	seen, err := r.observe(ctx, refs)
	if err != nil {
		return err
	}
	var stages [stageCount]object.ObjMetadataSet
	var released object.ObjMetadataSet
	for _, ref := range refs {
		m := seen[ref]
		switch {
		case m == nil || !r.ours(m):
		case kept(ref.GroupKind), !adoptedToo && (adopted[ref] || m.Labels[labelAdopted] == "true"):
			released = append(released, ref)
		default:
			s := stageOf(ref.GroupKind)
			stages[s] = append(stages[s], ref)
		}
	}
	for s := stageCount - 1; s >= 0; s-- {
		if err := r.each(ctx, stages[s], func(ctx context.Context, ref object.ObjMetadata) error {
			return r.deleteObject(ctx, ref, seen[ref])
		}); err != nil {
			return err
		}
		if err := r.waitDeleted(ctx, stages[s], seen); err != nil {
			return err
		}
	}
	return r.each(ctx, released, func(ctx context.Context, ref object.ObjMetadata) error {
		return r.letGo(ctx, ref, seen[ref])
	})
}

func (r *release) each(ctx context.Context, refs object.ObjMetadataSet, do func(context.Context, object.ObjMetadata) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, ref := range refs {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return do(ctx, ref)
		})
	}
	return group.Wait()
}

func (r *release) deleteObject(ctx context.Context, ref object.ObjMetadata, m *metav1.PartialObjectMetadata) error {
	if m.DeletionTimestamp != nil {
		return nil
	}
	resource, err := r.resource(ref.GroupKind, ref.Namespace)
	if meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	err = retryWebhooks(ctx, func() error {
		return resource.Delete(ctx, ref.Name, metav1.DeleteOptions{
			PropagationPolicy: &background,
			// What took its place since we looked is somebody else's.
			Preconditions: &metav1.Preconditions{UID: &m.UID},
		})
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("deleting %s: %w", describe(ref), plain(ref, err))
	}
	return nil
}

// letGo takes our labels off an object that stays.
func (r *release) letGo(ctx context.Context, ref object.ObjMetadata, m *metav1.PartialObjectMetadata) error {
	resource, err := r.resource(ref.GroupKind, ref.Namespace)
	if meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":    m.UID,
		"labels": map[string]any{v1alpha1.LabelIntegration: nil, v1alpha1.LabelNamespace: nil, labelAdopted: nil},
	}})
	if err != nil {
		return err
	}
	_, err = resource.Patch(ctx, ref.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("taking the labels off %s: %w", describe(ref), plain(ref, err))
	}
	return nil
}

// waitDeleted waits until objects are gone.
func (r *release) waitDeleted(ctx context.Context, refs object.ObjMetadataSet, before sight) error {
	delay := 50 * time.Millisecond
	for len(refs) > 0 {
		seen, err := r.observe(ctx, refs)
		if err == nil {
			refs = slices.DeleteFunc(refs, func(ref object.ObjMetadata) bool {
				return seen[ref] == nil || seen[ref].UID != before[ref].UID
			})
			if len(refs) == 0 {
				return nil
			}
		} else if ctx.Err() == nil {
			return err
		}
		if !pause(ctx, delay) {
			return installer.Errorf(installer.ReasonUninstallFailed,
				"still there after their deletion: %s: look at their finalizers and at what should clear them", nameSome(refs, seen))
		}
		delay = min(2*delay, 2*time.Second)
	}
	return nil
}

func nameSome(refs object.ObjMetadataSet, seen sight) string {
	var names []string
	for _, ref := range refs[:min(len(refs), maxNamed)] {
		name := describe(ref)
		if m := seen[ref]; m != nil && len(m.Finalizers) > 0 {
			name += " (" + strings.Join(m.Finalizers[:min(len(m.Finalizers), maxNamed)], ", ") + ")"
		}
		names = append(names, name)
	}
	if more := len(refs) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
