// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/fluxcd/cli-utils/pkg/object"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/installer"
)

// appliedPrefix begins the name of the Secret with what was applied. A release is
// named as its Integration, whose name is a DNS label, so the whole fits.
const appliedPrefix = "ksit-applied-"

func (r *release) appliedName() string { return appliedPrefix + r.name }

// readApplied returns the Secret with what was applied, nil where there is none.
// It fails when the Secret is not this owner's.
func (r *release) readApplied(ctx context.Context) (*corev1.Secret, error) {
	secret, err := r.conn.Kubernetes().CoreV1().Secrets(r.namespace).Get(ctx, r.appliedName(), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the Secret %s/%s: %w", r.namespace, r.appliedName(), err)
	}
	if owner, found := ownerOf(secret.Labels); r.owner != (installer.Owner{}) && (!found || owner != r.owner) {
		return nil, installer.Terminalf(installer.ReasonReleaseConflict,
			"the Secret %s/%s, which would hold what was applied, is not this Integration's: delete it", r.namespace, secret.Name)
	}
	return secret, nil
}

// keepApplied stores what is about to be applied, beside the last revision that
// went through, so that drift is found and a rollback has something to bring
// back. Who may not have Secrets on the target installs without.
func (r *release) keepApplied(ctx context.Context) error {
	secret, err := r.readApplied(ctx)
	if err == nil {
		err = r.writeApplied(ctx, secret)
	}
	if apierrors.IsForbidden(err) {
		klog.FromContext(ctx).Info("What is applied cannot be kept: there will be no rollback and no drift detection",
			"target", r.conn.Name(), "namespace", r.namespace, "release", r.name, "err", err)
		err = nil
	}
	r.snapshotKept = err == nil
	return err
}

func (r *release) writeApplied(ctx context.Context, secret *corev1.Secret) error {
	current := snapshot{Source: r.record.Source, Version: r.record.Version}
	for _, it := range r.items {
		current.Objects = append(current.Objects, it.obj.Object)
	}
	packed, err := encodeSnapshot(current)
	if err != nil {
		return err
	}
	good := map[string][]byte{}
	if key := snapshotKey(r.stored.Good); secret != nil && r.stored.Good != r.record.Digest && secret.Data[key] != nil {
		good[key] = secret.Data[key]
	}
	candidates := []map[string][]byte{{snapshotKey(r.record.Digest): packed}, good}
	for _, former := range r.stored.Former {
		if key := snapshotKey(former.Digest); secret != nil && former.Digest != r.record.Digest && former.Digest != r.stored.Good && secret.Data[key] != nil {
			candidates = append(candidates, map[string][]byte{key: secret.Data[key]})
		}
	}
	data := fitting(candidates...)

	secrets := r.conn.Kubernetes().CoreV1().Secrets(r.namespace)
	switch {
	case secret == nil:
		secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: r.appliedName(), Labels: r.labels()}, Data: data}
		secret.Labels[labelInventory] = r.name
		_, err = secrets.Create(ctx, secret, metav1.CreateOptions{FieldManager: fieldManager})
	case maps.EqualFunc(secret.Data, data, bytes.Equal):
		return nil
	default:
		secret = secret.DeepCopy()
		secret.Data = data
		_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{FieldManager: fieldManager})
	}
	if err != nil {
		return fmt.Errorf("writing the Secret %s/%s: %w", r.namespace, r.appliedName(), err)
	}
	return nil
}

// applied returns the objects of the current revision as they were applied. The
// inventory must have been read. It returns nil where they are not known: while
// an apply is under way or was cut short, where they were too large to be kept,
// or where a KSIT applied them that did not keep them.
//
// CRDs that a rollback left as they were are not among them. Namespaces come
// without the labels of the owner: they may have another one.
func (r *release) applied(ctx context.Context) ([]*unstructured.Unstructured, error) {
	if r.stored == nil || r.stored.Applying != "" {
		return nil, nil
	}
	s, err := r.snapshotOf(ctx, r.stored.Digest)
	if err != nil || s == nil {
		return nil, err
	}
	entries := make(map[object.ObjMetadata]entry, len(r.stored.Objects))
	for _, e := range r.stored.Objects {
		entries[e.ref()] = e
	}
	var objects []*unstructured.Unstructured
	for _, content := range s.Objects {
		obj := &unstructured.Unstructured{Object: content}
		e := entries[object.UnstructuredToObjMetadata(obj)]
		if e.Left {
			continue
		}
		if e.ref().GroupKind != namespaceKind {
			r.mark(obj, e.Adopted)
		}
		objects = append(objects, obj)
	}
	return objects, nil
}

// snapshotOf returns the revision with a digest, nil where it is not kept.
func (r *release) snapshotOf(ctx context.Context, digest string) (*snapshot, error) {
	secret, err := r.readApplied(ctx)
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	if secret == nil || secret.Data[snapshotKey(digest)] == nil {
		return nil, err
	}
	s, err := decodeSnapshot(secret.Data[snapshotKey(digest)])
	if err != nil {
		return nil, fmt.Errorf("the Secret %s/%s is damaged: %w", r.namespace, secret.Name, err)
	}
	return &s, nil
}

// forgetApplied deletes the Secret with what was applied.
func (r *release) forgetApplied(ctx context.Context) error {
	secret, err := r.readApplied(ctx)
	if secret == nil || err != nil {
		if e, ok := errors.AsType[*installer.Error](err); ok && e.Reason == installer.ReasonReleaseConflict || apierrors.IsForbidden(err) {
			return nil
		}
		return err
	}
	err = r.conn.Kubernetes().CoreV1().Secrets(r.namespace).Delete(ctx, secret.Name,
		metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &secret.UID}})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("deleting the Secret %s/%s: %w", r.namespace, secret.Name, err)
	}
	return nil
}
