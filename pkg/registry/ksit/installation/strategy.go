// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package installation decides what may be stored of an Installation, and in
// which form.
package installation

import (
	"context"
	"fmt"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/validation"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// Strategy governs Installations but for their status. Its methods take objects
// of type *ksit.Installation. Who may write them is for RBAC to say.
type Strategy struct {
	resource.Strategy
}

var (
	_ rest.CreateUpdateResetFieldsStrategy = Strategy{}
	_ rest.RESTDeleteStrategy              = Strategy{}
)

// NewStrategy returns the strategy for the kinds of a scheme.
func NewStrategy(typer runtime.ObjectTyper) Strategy {
	return Strategy{Strategy: resource.NewStrategy(typer)}
}

// PrepareForCreate clears the status, and what only a subresource may ask for.
func (Strategy) PrepareForCreate(_ context.Context, obj runtime.Object) {
	installation := obj.(*ksit.Installation)
	installation.Status = ksit.InstallationStatus{}
	installation.Spec.Operation = nil
	installation.Generation = 1
	resource.NormaliseValuesObject(installation.Spec.AutoInstall)
}

// PrepareForUpdate keeps the status and what was asked for through a subresource,
// and counts a change of the spec.
func (Strategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	installation, before := obj.(*ksit.Installation), old.(*ksit.Installation)
	installation.Status = before.Status
	installation.Spec.Operation = before.Spec.Operation
	resource.NormaliseValuesObject(installation.Spec.AutoInstall)
	if !apiequality.Semantic.DeepEqual(installation.Spec, before.Spec) {
		installation.Generation = before.Generation + 1
	}
}

// Validate checks a new object.
func (Strategy) Validate(_ context.Context, obj runtime.Object) field.ErrorList {
	return validation.ValidateInstallation(obj.(*ksit.Installation))
}

// ValidateUpdate checks a changed object.
func (Strategy) ValidateUpdate(_ context.Context, obj, old runtime.Object) field.ErrorList {
	return validation.ValidateInstallationUpdate(obj.(*ksit.Installation), old.(*ksit.Installation))
}

// WarningsOnCreate has none: the writer is the controller.
func (Strategy) WarningsOnCreate(context.Context, runtime.Object) []string { return nil }

// WarningsOnUpdate has none: the writer is the controller.
func (Strategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}

// GetResetFields names what a write of the object does not change.
func (Strategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return resource.ResetFields(resource.Path{"status"}, resource.Path{"spec", "operation"})
}

const (
	fieldIntegration = "spec.integration"
	fieldTarget      = "spec.target"
	// fieldTargetNamespace is empty for a target of the same namespace.
	fieldTargetNamespace = "spec.targetNamespace"
	fieldType            = "spec.type"
	fieldPhase           = "status.phase"
)

// SelectableFields returns the fields of an Installation that a field selector
// may name.
func SelectableFields(installation *ksit.Installation) fields.Set {
	return generic.AddObjectMetaFieldsSet(fields.Set{
		fieldIntegration:     installation.Spec.Integration,
		fieldTarget:          installation.Spec.Target,
		fieldTargetNamespace: installation.Spec.TargetNamespace,
		fieldType:            string(installation.Spec.Type),
		fieldPhase:           string(installation.Status.Phase),
	}, &installation.ObjectMeta, true)
}

// GetAttrs returns what selectors select an Installation by.
func GetAttrs(obj runtime.Object) (labels.Set, fields.Set, error) {
	installation, ok := obj.(*ksit.Installation)
	if !ok {
		return nil, nil, fmt.Errorf("selecting installations: got a %T", obj)
	}
	return installation.Labels, SelectableFields(installation), nil
}

// MatchInstallation returns the predicate of a list or watch.
func MatchInstallation(label labels.Selector, field fields.Selector) storage.SelectionPredicate {
	return storage.SelectionPredicate{
		Label:       label,
		Field:       field,
		GetAttrs:    GetAttrs,
		IndexFields: []string{fieldIntegration, fieldTarget, fieldPhase},
	}
}

// Indexers returns the indexes of the watch cache, by which a list of what one
// Integration or one target has is answered without a look at the others.
func Indexers() *cache.Indexers {
	return resource.Indexers(map[string]func(*ksit.Installation) string{
		fieldIntegration: func(installation *ksit.Installation) string { return installation.Spec.Integration },
		fieldTarget:      func(installation *ksit.Installation) string { return installation.Spec.Target },
		fieldPhase:       func(installation *ksit.Installation) string { return string(installation.Status.Phase) },
	})
}
