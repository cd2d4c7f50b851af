// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// Prober looks at clusters.
type Prober interface {
	// Health connects to a target now. That this fails is an answer.
	Health(ctx context.Context, target *v1alpha1.IntegrationTarget) (*v1alpha1.IntegrationTargetHealth, error)
}

// NewHealth serves the subresource health of what a storage holds.
func NewHealth(storage *Storage, scheme *runtime.Scheme, prober Prober) *resource.LiveREST {
	targets := resource.NewVersioned[v1alpha1.IntegrationTarget](storage.IntegrationTarget.Store, scheme)
	empty := func() runtime.Object { return &ksit.IntegrationTargetHealth{} }
	return resource.NewLiveREST(empty, func(ctx context.Context, name string) (runtime.Object, error) {
		target, err := targets.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		health, err := prober.Health(ctx, target)
		if err != nil {
			return nil, err
		}
		return resource.Convert[ksit.IntegrationTargetHealth](scheme, health)
	})
}
