// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package index

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const byForeignTarget = "foreignTarget"

// Integrations finds Integrations in the cache of an informer. What it returns is
// shared and must not be changed.
type Integrations struct {
	indexer cache.Indexer
}

// NewIntegrations adds the index to the informer, which must not have been
// started.
func NewIntegrations(informer cache.SharedIndexInformer) (*Integrations, error) {
	err := informer.AddIndexers(cache.Indexers{byForeignTarget: func(obj any) ([]string, error) {
		integration, ok := obj.(*v1alpha1.Integration)
		if !ok {
			return nil, nil
		}
		var keys []string
		for _, name := range integration.Spec.TargetClusters {
			if key := v1alpha1.ParseTarget(integration.Namespace, name); key.Namespace != integration.Namespace {
				keys = append(keys, key.String())
			}
		}
		return keys, nil
	}})
	if err != nil {
		return nil, fmt.Errorf("indexing the Integrations: %w", err)
	}
	return &Integrations{indexer: informer.GetIndexer()}, nil
}

// Naming returns the Integrations of other namespaces that name an
// IntegrationTarget, in no order.
func (i *Integrations) Naming(key types.NamespacedName) ([]*v1alpha1.Integration, error) {
	objects, err := i.indexer.ByIndex(byForeignTarget, key.String())
	if err != nil {
		return nil, fmt.Errorf("listing the Integrations that name IntegrationTarget %s: %w", key, err)
	}
	integrations := make([]*v1alpha1.Integration, 0, len(objects))
	for _, object := range objects {
		if integration, ok := object.(*v1alpha1.Integration); ok {
			integrations = append(integrations, integration)
		}
	}
	return integrations, nil
}
