// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
)

// Versioned reads the objects of a kind in the form of the served API, with
// their defaults, in which those who look at clusters take them.
type Versioned[T any] struct {
	store  *genericregistry.Store
	scheme *runtime.Scheme
}

// NewVersioned reads what a completed store holds. T is the served type.
func NewVersioned[T any](store *genericregistry.Store, scheme *runtime.Scheme) Versioned[T] {
	return Versioned[T]{store: store, scheme: scheme}
}

// Get reads an object of the namespace of the request.
func (v Versioned[T]) Get(ctx context.Context, name string) (*T, error) {
	object, err := v.store.Get(ctx, name, &metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return Convert[T](v.scheme, object)
}

// Convert converts between the internal and the served form of an object.
func Convert[T any](scheme *runtime.Scheme, object any) (*T, error) {
	converted := new(T)
	if err := scheme.Convert(object, converted, nil); err != nil {
		return nil, fmt.Errorf("converting %T to %T: %w", object, converted, err)
	}
	return converted, nil
}

// LiveREST serves a subresource that is found out while the caller waits, and
// stored nowhere.
type LiveREST struct {
	empty func() runtime.Object
	get   func(ctx context.Context, name string) (runtime.Object, error)
}

var (
	_ rest.Storage = &LiveREST{}
	_ rest.Getter  = &LiveREST{}
)

// NewLiveREST serves what get finds out. empty makes an object of its internal
// kind.
func NewLiveREST(empty func() runtime.Object, get func(ctx context.Context, name string) (runtime.Object, error)) *LiveREST {
	return &LiveREST{empty: empty, get: get}
}

// New returns an empty object of the kind.
func (r *LiveREST) New() runtime.Object { return r.empty() }

// Destroy does nothing: there is no storage.
func (r *LiveREST) Destroy() {}

// Get finds out. A resource version, which the options may ask for, is one of
// the object in the store: what is found out is always new.
func (r *LiveREST) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	return r.get(ctx, name)
}
