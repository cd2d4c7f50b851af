// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/client-go/tools/cache"
)

// Indexers makes an index of the watch cache for each field. The names are
// those of selectable fields, the functions return their values.
func Indexers[T runtime.Object](fields map[string]func(T) string) *cache.Indexers {
	indexers := cache.Indexers{}
	for name, value := range fields {
		indexers[storage.FieldIndex(name)] = func(obj any) ([]string, error) {
			object, ok := obj.(T)
			if !ok {
				return nil, fmt.Errorf("indexing by %s: got a %T", name, obj)
			}
			return []string{value(object)}, nil
		}
	}
	return &indexers
}
