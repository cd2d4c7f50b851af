// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package storage stores IntegrationTargets.
package storage

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/registry/ksit/integrationtarget"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// Storage serves IntegrationTargets and their subresources.
type Storage struct {
	IntegrationTarget *resource.REST
	Status            *resource.StatusREST
	Reconcile         *resource.RequestREST[*ksit.ReconcileRequest]
}

// New connects to the storage of IntegrationTargets. Whoever calls it destroys
// IntegrationTarget in the end.
func New(typer runtime.ObjectTyper, getter generic.RESTOptionsGetter) (*Storage, error) {
	strategy := integrationtarget.NewStrategy(typer)
	store := &genericregistry.Store{
		NewFunc:                   func() runtime.Object { return &ksit.IntegrationTarget{} },
		NewListFunc:               func() runtime.Object { return &ksit.IntegrationTargetList{} },
		PredicateFunc:             integrationtarget.MatchIntegrationTarget,
		DefaultQualifiedResource:  ksit.Resource("integrationtargets"),
		SingularQualifiedResource: ksit.Resource("integrationtarget"),
		CreateStrategy:            strategy,
		UpdateStrategy:            strategy,
		DeleteStrategy:            strategy,
		ResetFieldsStrategy:       strategy,
		TableConvertor:            table(),
	}
	options := &generic.StoreOptions{RESTOptions: getter, AttrFunc: integrationtarget.GetAttrs}
	if err := store.CompleteWithOptions(options); err != nil {
		return nil, fmt.Errorf("making the store of integration targets: %w", err)
	}
	return &Storage{
		IntegrationTarget: resource.NewREST(store, "itgt"),
		Status:            resource.NewStatusREST(store, integrationtarget.NewStatusStrategy(strategy)),
		Reconcile:         resource.NewReconcileREST(store, integrationtarget.AskReconcile),
	}, nil
}
