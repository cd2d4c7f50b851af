// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package index finds Installations by the objects that they stand between.
package index

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const (
	byIntegration = "integration"
	byTarget      = "target"
)

// Installations finds Installations in the cache of an informer. What it
// returns is shared and must not be changed.
type Installations struct {
	indexer cache.Indexer
}

// NewInstallations adds the indexes to the informer, which must not have been
// started.
func NewInstallations(informer cache.SharedIndexInformer) (*Installations, error) {
	err := informer.AddIndexers(cache.Indexers{
		byIntegration: keyFunc(func(i *v1alpha1.Installation) types.NamespacedName {
			return types.NamespacedName{Namespace: i.Namespace, Name: i.Spec.Integration}
		}),
		byTarget: keyFunc((*v1alpha1.Installation).TargetKey),
	})
	if err != nil {
		return nil, fmt.Errorf("indexing the Installations: %w", err)
	}
	return &Installations{indexer: informer.GetIndexer()}, nil
}

// OfIntegration returns the Installations of an Integration, in no order.
func (i *Installations) OfIntegration(key types.NamespacedName) ([]*v1alpha1.Installation, error) {
	return i.list(byIntegration, key)
}

// OnTarget returns the Installations on an IntegrationTarget, those of other
// namespaces included, in no order.
func (i *Installations) OnTarget(key types.NamespacedName) ([]*v1alpha1.Installation, error) {
	return i.list(byTarget, key)
}

func (i *Installations) list(index string, key types.NamespacedName) ([]*v1alpha1.Installation, error) {
	objects, err := i.indexer.ByIndex(index, key.String())
	if err != nil {
		return nil, fmt.Errorf("listing the Installations of %s %s: %w", index, key, err)
	}
	installations := make([]*v1alpha1.Installation, 0, len(objects))
	for _, object := range objects {
		if installation, ok := object.(*v1alpha1.Installation); ok {
			installations = append(installations, installation)
		}
	}
	return installations, nil
}

func keyFunc(key func(*v1alpha1.Installation) types.NamespacedName) cache.IndexFunc {
	return func(obj any) ([]string, error) {
		installation, ok := obj.(*v1alpha1.Installation)
		if !ok {
			return nil, nil
		}
		return []string{key(installation).String()}, nil
	}
}
