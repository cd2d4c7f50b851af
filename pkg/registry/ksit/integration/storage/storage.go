// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package storage stores Integrations.
package storage

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/registry/ksit/integration"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// Storage serves Integrations and their subresources.
type Storage struct {
	Integration *resource.REST
	Status      *resource.StatusREST
	Reconcile   *resource.RequestREST[*ksit.ReconcileRequest]
}

// New connects to the storage of Integrations. Whoever calls it destroys
// Integration in the end.
func New(typer runtime.ObjectTyper, getter generic.RESTOptionsGetter) (*Storage, error) {
	strategy := integration.NewStrategy(typer)
	store := &genericregistry.Store{
		NewFunc:                   func() runtime.Object { return &ksit.Integration{} },
		NewListFunc:               func() runtime.Object { return &ksit.IntegrationList{} },
		PredicateFunc:             integration.MatchIntegration,
		DefaultQualifiedResource:  ksit.Resource("integrations"),
		SingularQualifiedResource: ksit.Resource("integration"),
		CreateStrategy:            strategy,
		UpdateStrategy:            strategy,
		DeleteStrategy:            strategy,
		ResetFieldsStrategy:       strategy,
		TableConvertor:            table(),
	}
	options := &generic.StoreOptions{RESTOptions: getter, AttrFunc: integration.GetAttrs, Indexers: integration.Indexers()}
	if err := store.CompleteWithOptions(options); err != nil {
		return nil, fmt.Errorf("making the store of integrations: %w", err)
	}
	return &Storage{
		Integration: resource.NewREST(store, "intg"),
		Status:      resource.NewStatusREST(store, integration.NewStatusStrategy(strategy)),
		Reconcile:   resource.NewReconcileREST(store, integration.AskReconcile),
	}, nil
}
