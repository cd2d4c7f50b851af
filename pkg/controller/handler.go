// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import "k8s.io/client-go/tools/cache"

// handler hands the objects of an informer on by their type, tombstones
// unwrapped.
type handler[T any] struct {
	added   func(*T)
	changed func(before, after *T)
	removed func(*T)
}

func (h handler[T]) OnAdd(obj any, _ bool) {
	if t, ok := obj.(*T); ok {
		h.added(t)
	}
}

func (h handler[T]) OnUpdate(before, after any) {
	b, ok := before.(*T)
	a, also := after.(*T)
	if ok && also {
		h.changed(b, a)
	}
}

func (h handler[T]) OnDelete(obj any) {
	if tombstone, gone := obj.(cache.DeletedFinalStateUnknown); gone {
		obj = tombstone.Obj
	}
	if t, ok := obj.(*T); ok {
		h.removed(t)
	}
}
