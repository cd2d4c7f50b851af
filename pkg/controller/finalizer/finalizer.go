// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package finalizer helps controllers to hold objects, which then stay until
// they let them go.
package finalizer

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// object is a KSIT object of one kind, by pointer.
type object[T any] interface {
	*T
	metav1.Object
	DeepCopy() *T
}

// Client writes objects: the typed clients do.
type Client[T any] interface {
	Update(ctx context.Context, obj *T, opts metav1.UpdateOptions) (*T, error)
}

// Has tells whether an object is held.
func Has(held metav1.Object, finalizer string) bool {
	return slices.Contains(held.GetFinalizers(), finalizer)
}

// Add holds an object, which must not be on its way out. It returns the object as
// it is then stored, nil when it is gone.
func Add[T any, P object[T]](ctx context.Context, client Client[T], cached P, finalizer string) (P, error) {
	if Has(cached, finalizer) {
		return cached, nil
	}
	changed := P(cached.DeepCopy())
	changed.SetFinalizers(append(changed.GetFinalizers(), finalizer))
	return update(ctx, client, changed, "adding the finalizer "+finalizer+" to")
}

// Remove lets an object go. It returns the object as it was then stored, nil when
// it was gone.
func Remove[T any, P object[T]](ctx context.Context, client Client[T], cached P, finalizer string) (P, error) {
	if !Has(cached, finalizer) {
		return cached, nil
	}
	changed := P(cached.DeepCopy())
	changed.SetFinalizers(slices.DeleteFunc(changed.GetFinalizers(), func(f string) bool { return f == finalizer }))
	return update(ctx, client, changed, "removing the finalizer "+finalizer+" from")
}

func update[T any, P object[T]](ctx context.Context, client Client[T], changed P, doing string) (P, error) {
	written, err := client.Update(ctx, changed, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s/%s: %w", doing, changed.GetNamespace(), changed.GetName(), err)
	}
	return written, nil
}
