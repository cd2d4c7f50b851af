// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

// Rollback implements installer.Installer. CRDs that are there stay as they are:
// an older one could lose fields, or versions, of what is stored by now.
func (i *Installer) Rollback(ctx context.Context, conn *cluster.Connection, req installer.Request) (installer.Result, error) {
	ctx, cancel := withTimeout(ctx, req.Timeout)
	defer cancel()
	r := requested(conn, req)
	var to installer.Revision
	var changed bool
	var err error
	if req.To != nil {
		to, changed, err = r.rollBackTo(ctx, *req.To, req.Waiting)
		if err == nil && changed {
			err = r.markHeld(ctx, req.Hold, to)
		}
	} else {
		changed, err = r.rollBack(ctx, req.Waiting)
	}
	result := installer.Result{Releases: r.status(), Changed: changed, To: to}
	for _, recorded := range req.Recorded {
		if !r.known || recorded.Name != r.name || recorded.Namespace != r.namespace {
			result.Releases = append(result.Releases, recorded)
		}
	}
	return result, installer.RollbackError(r.explain(ctx, err))
}

func (r *release) rollBack(ctx context.Context, waiting func()) (changed bool, err error) {
	if err := r.read(ctx); err != nil {
		return false, err
	}
	if r.stored != nil && r.stored.Applying == "" && r.stored.Good == r.stored.Digest {
		return false, nil
	}
	objects, err := r.lastGood(ctx)
	if err != nil {
		return false, err
	}
	if changed, err = r.applyFormer(ctx, objects, r.stored.Good, waiting); err != nil {
		return changed, err
	}
	klog.FromContext(ctx).V(2).Info("Rolled back manifests", "target", r.conn.Name(), "namespace", r.namespace, "release", r.name,
		"revision", r.stored.Revision)
	return changed, nil
}

// applyFormer applies the objects of a revision with a digest, and waits for
// them.
func (r *release) applyFormer(ctx context.Context, objects []*unstructured.Unstructured, digest string, waiting func()) (changed bool, err error) {
	if err := r.prepare(objects); err != nil {
		return false, err
	}
	if r.record.Digest != digest {
		return false, installer.Terminalf(installer.ReasonNothingToRollBack,
			"what the Secret %s/%s has of the last revision that went through was changed since: nothing was applied", r.namespace, r.appliedName())
	}
	r.keepCRDs = true
	if changed, err = r.apply(ctx); err != nil {
		return changed, err
	}
	return changed, waitReady(ctx, r, waiting)
}

// lastGood returns the objects of the last revision that went through, and takes
// down where they came from.
func (r *release) lastGood(ctx context.Context) ([]*unstructured.Unstructured, error) {
	if r.stored == nil || r.stored.Good == "" {
		return nil, installer.Terminalf(installer.ReasonNothingToRollBack, "no revision of the manifests went through: they are left as they are")
	}
	s, err := r.snapshotOf(ctx, r.stored.Good)
	if err != nil {
		return nil, fmt.Errorf("reading the last revision that went through: %w", err)
	}
	if s == nil {
		return nil, installer.Terminalf(installer.ReasonNothingToRollBack,
			"the last revision that went through is not in the Secret %s/%s: it takes more than %d KiB packed, together with the present one, or KSIT may not write the Secret, or somebody removed it",
			r.namespace, r.appliedName(), maxSnapshotBytes>>10)
	}
	return r.take(s), nil
}

// take takes down where a revision came from, and returns its objects.
func (r *release) take(s *snapshot) []*unstructured.Unstructured {
	r.record.Source, r.record.Version = s.Source, s.Version
	objects := make([]*unstructured.Unstructured, 0, len(s.Objects))
	for _, content := range s.Objects {
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	return objects
}

// promote notes that the revision which stands went through: its objects were
// ready. It is what a rollback brings back.
func (r *release) promote(ctx context.Context) (changed bool, err error) {
	if r.stored.Good == r.stored.Digest {
		return false, nil
	}
	if !r.snapshotKept {
		// The process that applied it did not live to keep it, or was a KSIT
		// that did not do that.
		if err := r.keepApplied(ctx); err != nil {
			return false, err
		}
	}
	good := *r.stored
	good.Good = good.Digest
	return true, r.write(ctx, &good)
}
