// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	"go.opentelemetry.io/otel/attribute"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/tracing"
)

// apply brings the target to r.items. It writes nothing when they were applied
// before and are all there.
func (r *release) apply(ctx context.Context) (changed bool, err error) {
	ctx, done := installer.Step(ctx, "manifest apply", tracing.Text("ksit.release", r.namespace+"/"+r.name), attribute.Int("ksit.objects", len(r.items)))
	defer func() { done(err) }()
	if err := r.read(ctx); err != nil {
		return false, err
	}
	var former inventory
	if r.stored != nil {
		former = *r.stored
	}
	seen, err := r.observe(ctx, union(former.refs(), r.refs()))
	if err != nil {
		return false, err
	}
	if err := r.refuseOthers(seen); err != nil {
		return false, err
	}
	if former.Digest == r.record.Digest && former.Applying == "" {
		complete, err := r.complete(ctx, seen)
		if err != nil || complete {
			return false, err
		}
	}
	r.leaveCRDs(seen)
	if err := r.keepStoredVersions(ctx); err != nil {
		return false, err
	}
	if err := r.makeNamespaces(ctx, seen); err != nil {
		return true, err
	}
	if err := r.rehearse(ctx, former, seen); err != nil {
		return true, err
	}
	if err := r.begin(ctx, former); err != nil {
		return true, err
	}
	if err := r.keepApplied(ctx); err != nil {
		return true, err
	}
	for s, applied := stageCRDs, 0; s < stageCount; s++ {
		if err := r.applyStage(ctx, s); err != nil {
			return true, err
		}
		if n := r.inStage(s); n > 0 {
			applied += n
			r.say("applied %d of %d objects", applied, len(r.items)-r.inStage(stageNamespaces))
		}
	}
	unwanted := without(former.Objects, r.refs())
	if err := r.remove(ctx, unwanted, false); err != nil {
		return true, err
	}
	if err := r.finish(ctx, former); err != nil {
		return true, err
	}
	klog.FromContext(ctx).V(2).Info("Applied manifests", "target", r.conn.Name(), "namespace", r.namespace, "release", r.name,
		"objects", len(r.items), "revision", r.record.Revision)
	return true, nil
}

// refuseOthers fails when an object belongs to another Integration. A
// namespace may be used by several and keeps its first owner.
func (r *release) refuseOthers(seen sight) error {
	for _, it := range r.items {
		m := seen[it.ref]
		if m == nil || r.ours(m) {
			continue
		}
		if it.ref.GroupKind == namespaceKind {
			it.shared = true
			continue
		}
		owner, _ := ownerOf(m.Labels)
		return conflict(it.ref, owner)
	}
	return nil
}

func conflict(ref object.ObjMetadata, owner installer.Owner) error {
	return installer.Terminalf(installer.ReasonReleaseConflict,
		"%s belongs to the Integration %s: install into another namespace, or take it out of one of the two", describe(ref), owner)
}

// complete tells whether all that is wanted is there and ours.
func (r *release) complete(ctx context.Context, seen sight) (bool, error) {
	for _, it := range r.items {
		m := seen[it.ref]
		if m != nil && m.DeletionTimestamp == nil {
			continue
		}
		if it.ref.GroupKind != namespaceKind {
			return false, nil
		}
		// It may have lost our labels, or never got them.
		if _, err := r.conn.Kubernetes().CoreV1().Namespaces().Get(ctx, it.ref.Name, metav1.GetOptions{}); apierrors.IsNotFound(err) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("reading %s: %w", describe(it.ref), err)
		}
	}
	return true, nil
}

// makeNamespaces makes the namespace of the release, if it is missing, and
// those of the manifests.
func (r *release) makeNamespaces(ctx context.Context, seen sight) error {
	namespaces := r.conn.Kubernetes().CoreV1().Namespaces()
	if !slices.ContainsFunc(r.items, func(it *item) bool { return it.ref.GroupKind == namespaceKind && it.ref.Name == r.namespace }) {
		_, err := namespaces.Get(ctx, r.namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			_, err = namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.namespace, Labels: r.labels()}},
				metav1.CreateOptions{FieldManager: fieldManager})
			if apierrors.IsAlreadyExists(err) {
				err = nil
			}
		}
		if err != nil {
			return fmt.Errorf("making the namespace %s: %w", r.namespace, err)
		}
	}
	return r.applyStage(ctx, stageNamespaces)
}

// begin notes in the inventory all that is there and all that will be.
func (r *release) begin(ctx context.Context, former inventory) error {
	next := inventory{
		Source: r.record.Source, Version: r.record.Version,
		Digest: former.Digest, Applying: r.record.Digest, Good: former.Good, Revision: former.Revision, Former: former.Former,
	}
	r.record.Objects = nil
	for _, it := range r.items {
		e := entryOf(it.ref, it.adopted)
		e.Left = it.left
		r.record.Objects = append(r.record.Objects, e)
	}
	next.Objects = append(slices.Clone(r.record.Objects), without(former.Objects, r.refs())...)
	return r.write(ctx, &next)
}

// finish notes that what is wanted is all there is.
func (r *release) finish(ctx context.Context, former inventory) error {
	r.record.Revision, r.record.Good = former.Revision, former.Good
	if former.Digest != r.record.Digest {
		r.record.Revision++
	}
	r.record.Former = former.succeeded(r.record.Digest)
	done := r.record
	return r.write(ctx, &done)
}

func (r *release) inStage(s stage) (n int) {
	for _, it := range r.items {
		if stageOf(it.ref.GroupKind) == s {
			n++
		}
	}
	return n
}

func (r *release) applyStage(ctx context.Context, s stage) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, it := range r.items {
		if stageOf(it.ref.GroupKind) != s || it.left {
			continue
		}
		group.Go(func() error {
			// The goroutines that are still to start end here after an error.
			if err := groupCtx.Err(); err != nil {
				return err
			}
			return r.applyItem(groupCtx, it)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if n := r.inStage(s); s == stageCRDs && n > 0 {
		r.say("waiting until CRDs are established: %d", n)
		return r.waitForCRDs(ctx)
	}
	return nil
}

func (r *release) applyItem(ctx context.Context, it *item) error {
	obj := it.obj
	if !it.shared {
		obj = obj.DeepCopy()
		r.mark(obj, it.adopted)
	}
	data, err := json.Marshal(obj.Object)
	if err != nil {
		return invalid("%s cannot be written as JSON", describe(it.ref))
	}
	resource, err := r.resource(it.ref.GroupKind, it.ref.Namespace, obj.GroupVersionKind().Version)
	if err != nil {
		return fmt.Errorf("applying %s: %w", describe(it.ref), err)
	}
	err = retryWebhooks(ctx, func() error {
		_, err := patchApply(ctx, resource, it.ref.Name, data, r.manager(it.shared), false)
		return err
	})
	if err != nil {
		return fmt.Errorf("applying %s: %w", describe(it.ref), plain(it.ref, err))
	}
	return nil
}

func patchApply(ctx context.Context, resource metadata.ResourceInterface, name string, data []byte, manager string, dryRun bool) (*metav1.PartialObjectMetadata, error) {
	// What somebody else set is taken over: the manifests say what shall be.
	force := true
	options := metav1.PatchOptions{FieldManager: manager, Force: &force}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	return resource.Patch(ctx, name, types.ApplyPatchType, data, options)
}

// retryWebhooks tries again while a webhook does not answer: its server may be
// a workload that was applied just before.
func retryWebhooks(ctx context.Context, try func() error) error {
	delay := 250 * time.Millisecond
	for {
		err := try()
		if err == nil || !webhookFailed(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(delay):
		}
		delay = min(2*delay, 5*time.Second)
	}
}

func union(a, b object.ObjMetadataSet) object.ObjMetadataSet {
	return append(slices.Clone(a), b...)
}

// without returns the entries that refs does not name.
func without(entries []entry, refs object.ObjMetadataSet) []entry {
	named := make(map[object.ObjMetadata]bool, len(refs))
	for _, ref := range refs {
		named[ref] = true
	}
	var rest []entry
	for _, e := range entries {
		if !named[e.ref()] {
			rest = append(rest, e)
		}
	}
	return rest
}
