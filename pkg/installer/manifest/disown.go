// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/object"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
)

// Disown implements installer.Installer.
func (i *Installer) Disown(ctx context.Context, conn *cluster.Connection, owner installer.Owner, releases []v1alpha1.ReleaseStatus) error {
	for _, recorded := range releases {
		r := newRelease(conn, owner, recorded.Namespace, recorded.Name)
		if err := r.explain(ctx, r.disown(ctx)); err != nil {
			return fmt.Errorf("letting go of %s/%s: %w", r.namespace, r.name, err)
		}
	}
	return nil
}

// disown takes our labels off all objects, and removes what KSIT keeps about
// them. The inventory goes last: until then it can be done again.
func (r *release) disown(ctx context.Context) error {
	err := r.read(ctx)
	switch {
	case err != nil && installer.ReasonOf(err) == installer.ReasonReleaseConflict:
		return nil
	case err != nil:
		return err
	}
	if r.stored != nil {
		refs := r.stored.refs()
		seen, err := r.observe(ctx, refs)
		if err != nil {
			return err
		}
		var ours object.ObjMetadataSet
		for _, ref := range refs {
			if m := seen[ref]; m != nil && r.ours(m) {
				ours = append(ours, ref)
			}
		}
		if err := r.each(ctx, ours, func(ctx context.Context, ref object.ObjMetadata) error { return r.letGo(ctx, ref, seen[ref]) }); err != nil {
			return err
		}
	}
	return r.forget(ctx)
}

// forget removes what KSIT keeps about the release, and its mark on the
// namespace.
func (r *release) forget(ctx context.Context) error {
	if err := r.forgetApplied(ctx); err != nil {
		return err
	}
	if r.configMap == nil {
		return nil
	}
	if err := r.letGoNamespace(ctx); err != nil {
		return err
	}
	uid, version := r.configMap.UID, r.configMap.ResourceVersion
	err := r.conn.Kubernetes().CoreV1().ConfigMaps(r.namespace).Delete(ctx, r.configMap.Name,
		metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting the inventory %s/%s: %w", r.namespace, r.configMap.Name, err)
	}
	return nil
}

// letGoNamespace takes our labels off the namespace of the release, which stays.
// Who may not have namespaces never put them there.
func (r *release) letGoNamespace(ctx context.Context) error {
	m, err := r.conn.Metadata().Resource(corev1.SchemeGroupVersion.WithResource("namespaces")).Get(ctx, r.namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return nil
	case err != nil:
		return fmt.Errorf("reading the namespace %s: %w", r.namespace, err)
	case !r.ours(m):
		return nil
	}
	err = r.letGo(ctx, object.ObjMetadata{GroupKind: namespaceKind, Name: r.namespace}, m)
	if apierrors.IsForbidden(err) {
		return nil
	}
	return err
}
