// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package storage stores Installations.
package storage

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/registry/ksit/installation"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// Storage serves Installations and their subresources.
type Storage struct {
	Installation *resource.REST
	Status       *resource.StatusREST
	Reconcile    *resource.RequestREST[*ksit.ReconcileRequest]
	Rollback     *resource.RequestREST[*ksit.RollbackRequest]
}

// New connects to the storage of Installations. Whoever calls it destroys
// Installation in the end. afterDelete, if set, is called with each that is gone.
func New(typer runtime.ObjectTyper, getter generic.RESTOptionsGetter, afterDelete genericregistry.AfterDeleteFunc) (*Storage, error) {
	strategy := installation.NewStrategy(typer)
	store := &genericregistry.Store{
		NewFunc:                   func() runtime.Object { return &ksit.Installation{} },
		NewListFunc:               func() runtime.Object { return &ksit.InstallationList{} },
		PredicateFunc:             installation.MatchInstallation,
		DefaultQualifiedResource:  ksit.Resource("installations"),
		SingularQualifiedResource: ksit.Resource("installation"),
		CreateStrategy:            strategy,
		UpdateStrategy:            strategy,
		DeleteStrategy:            strategy,
		ResetFieldsStrategy:       strategy,
		TableConvertor:            table(),
		AfterDelete:               afterDelete,
	}
	options := &generic.StoreOptions{RESTOptions: getter, AttrFunc: installation.GetAttrs, Indexers: installation.Indexers()}
	if err := store.CompleteWithOptions(options); err != nil {
		return nil, fmt.Errorf("making the store of installations: %w", err)
	}
	requests := *store
	requests.UpdateStrategy = installation.NewOperationStrategy(strategy)
	return &Storage{
		Installation: resource.NewREST(store, "inst"),
		Status:       resource.NewStatusREST(store, installation.NewStatusStrategy(strategy)),
		Reconcile:    resource.NewReconcileREST(&requests, installation.AskReconcile),
		Rollback:     resource.NewRollbackREST(&requests, installation.AskRollback),
	}, nil
}
