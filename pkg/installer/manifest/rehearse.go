// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
)

// rehearsalManager is the field manager of the dry run of what is not ours yet.
// Under our own name the dry run would drop the labels of another Integration,
// since it does not set them.
const rehearsalManager = "ksit-rehearsal"

// rehearse applies everything as a dry run, so that the target can refuse what
// is wrong before anything is written, and finds out what was there before. It
// judges only what is certain: an object that is not valid stays so, whereas
// one that is forbidden may lack no more than an object applied before it.
func (r *release) rehearse(ctx context.Context, former inventory, seen sight) error {
	adopted := map[entry]bool{}
	for _, e := range former.Objects {
		adopted[entryOf(e.ref(), false)] = e.Adopted
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, it := range r.items {
		if it.ref.GroupKind == namespaceKind {
			continue
		}
		m := seen[it.ref]
		if m != nil {
			it.adopted = adopted[entryOf(it.ref, false)] || m.Labels[labelAdopted] == "true"
		}
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return r.rehearseItem(ctx, it, m)
		})
	}
	return group.Wait()
}

// rehearseItem is given the metadata of the object if it is ours.
func (r *release) rehearseItem(ctx context.Context, it *item, known *metav1.PartialObjectMetadata) error {
	resource, err := r.resource(it.ref.GroupKind, it.ref.Namespace, it.obj.GroupVersionKind().Version)
	if meta.IsNoMatchError(err) {
		return nil // Its CRD comes with it.
	}
	if err != nil {
		return err
	}
	if known != nil && known.DeletionTimestamp != nil {
		return r.waitGone(ctx, it, known.UID)
	}
	found, err := r.dryRun(ctx, resource, it, known != nil)
	if err != nil || found == nil || known != nil {
		return err
	}
	if found.DeletionTimestamp != nil {
		return r.waitGone(ctx, it, found.UID)
	}
	if owner, owned := ownerOf(found.Labels); owned && owner != r.owner {
		return conflict(it.ref, owner)
	}
	if r.refuseFound && !kept(it.ref.GroupKind) {
		return foundRefused(it.ref)
	}
	it.adopted = true
	return nil
}

// dryRun returns the metadata of the object as it is on the target, nil where
// it is not there or where it is known and nobody need look.
func (r *release) dryRun(ctx context.Context, resource metadata.ResourceInterface, it *item, known bool) (*metav1.PartialObjectMetadata, error) {
	// The schema of a kind whose CRD comes along is that of before: it may
	// refuse what the next one allows.
	if _, declared := r.kinds.declared[it.ref.GroupKind]; !declared {
		data, err := json.Marshal(it.obj.Object)
		if err != nil {
			return nil, invalid("%s cannot be written as JSON", describe(it.ref))
		}
		manager := rehearsalManager
		if known {
			manager = fieldManager
		}
		found, err := patchApply(ctx, resource, it.ref.Name, data, manager, true)
		switch {
		case malformed(err):
			return nil, fmt.Errorf("%s: %w", describe(it.ref), plain(it.ref, err))
		case err == nil && found.ResourceVersion == "":
			return nil, nil // It would be made.
		case err == nil:
			return found, nil
		}
	}
	if known {
		return nil, nil
	}
	found, err := resource.Get(ctx, it.ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", describe(it.ref), err)
	}
	return found, nil
}

// waitGone waits until an object that is being deleted is gone: what is applied
// to it would go with it.
func (r *release) waitGone(ctx context.Context, it *item, uid types.UID) error {
	it.adopted = false
	resource, err := r.resource(it.ref.GroupKind, it.ref.Namespace)
	if err != nil {
		return err
	}
	for {
		m, err := resource.Get(ctx, it.ref.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || (err == nil && m.UID != uid) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("waiting for the deletion of %s: %w", describe(it.ref), err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the deletion of %s, which began at %s: finalizers %q are left", describe(it.ref), m.DeletionTimestamp.UTC().Format(time.RFC3339), m.Finalizers)
		case <-time.After(500 * time.Millisecond):
		}
	}
}
