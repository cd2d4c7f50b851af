// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integration decides what may be stored of an Integration, and in
// which form.
package integration

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
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/apis/ksit/validation"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// Strategy governs Integrations but for their status. Its methods take objects
// of type *ksit.Integration.
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

// PrepareForCreate clears the status but for who asks and what a backup knows of
// the version, and fills in the defaults of the type.
func (Strategy) PrepareForCreate(ctx context.Context, obj runtime.Object) {
	integration := obj.(*ksit.Integration)
	integration.Status = ksit.IntegrationStatus{
		TargetsRequestedBy: requester(ctx),
		ResolvedChart:      restoredChart(integration),
	}
	integration.Generation = 1
	resource.NoteRequester(ctx, integration, nil)
	resource.NoteTrace(ctx, integration, nil, true)
	fillDefaults(integration, nil)
	resource.NormaliseValuesObject(integration.Spec.AutoInstall)
}

// PrepareForUpdate keeps the status, but for who asks where the targets change,
// drops what a change of method left over, fills in what is left empty, and
// counts a change of the spec.
func (Strategy) PrepareForUpdate(ctx context.Context, obj, old runtime.Object) {
	integration, before := obj.(*ksit.Integration), old.(*ksit.Integration)
	integration.Status = before.Status
	if !sameTargets(&integration.Spec, &before.Spec) {
		integration.Status.TargetsRequestedBy = requester(ctx)
	}
	resource.NoteRequester(ctx, integration, before)
	dropLeftovers(integration.Spec.AutoInstall, before.Spec.AutoInstall, integration.Spec.Type)
	fillDefaults(integration, before)
	resource.NormaliseValuesObject(integration.Spec.AutoInstall)
	if !apiequality.Semantic.DeepEqual(integration.Spec, before.Spec) {
		integration.Generation = before.Generation + 1
	}
	resource.NoteTrace(ctx, integration, before, integration.Generation != before.Generation ||
		integration.Annotations[v1alpha1.AnnotationReconcile] != before.Annotations[v1alpha1.AnnotationReconcile])
}

// Validate checks a new object.
func (Strategy) Validate(_ context.Context, obj runtime.Object) field.ErrorList {
	return validation.ValidateIntegration(obj.(*ksit.Integration))
}

// ValidateUpdate checks a changed object.
func (Strategy) ValidateUpdate(_ context.Context, obj, old runtime.Object) field.ErrorList {
	return validation.ValidateIntegrationUpdate(obj.(*ksit.Integration), old.(*ksit.Integration))
}

// WarningsOnCreate says what is accepted and may still not be meant.
func (Strategy) WarningsOnCreate(_ context.Context, obj runtime.Object) []string {
	return warnings(obj.(*ksit.Integration))
}

// WarningsOnUpdate warns again only while the spec is being changed.
func (Strategy) WarningsOnUpdate(_ context.Context, obj, old runtime.Object) []string {
	integration := obj.(*ksit.Integration)
	if integration.Generation == old.(*ksit.Integration).Generation {
		return nil
	}
	return warnings(integration)
}

// GetResetFields names what a write of the object does not change.
func (Strategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return resource.ResetFields(resource.Path{"status"}, resource.RequesterPath(), resource.TraceParentPath())
}

const (
	fieldType  = "spec.type"
	fieldPhase = "status.phase"
)

// SelectableFields returns the fields of an Integration that a field selector
// may name.
func SelectableFields(integration *ksit.Integration) fields.Set {
	return generic.AddObjectMetaFieldsSet(fields.Set{
		fieldType:  string(integration.Spec.Type),
		fieldPhase: string(integration.Status.Phase),
	}, &integration.ObjectMeta, true)
}

// GetAttrs returns what selectors select an Integration by.
func GetAttrs(obj runtime.Object) (labels.Set, fields.Set, error) {
	integration, ok := obj.(*ksit.Integration)
	if !ok {
		return nil, nil, fmt.Errorf("selecting integrations: got a %T", obj)
	}
	return integration.Labels, SelectableFields(integration), nil
}

// MatchIntegration returns the predicate of a list or watch.
func MatchIntegration(label labels.Selector, field fields.Selector) storage.SelectionPredicate {
	return storage.SelectionPredicate{
		Label:       label,
		Field:       field,
		GetAttrs:    GetAttrs,
		IndexFields: []string{fieldType, fieldPhase},
	}
}

// Indexers returns the indexes of the watch cache, by which a list of one type
// or phase is answered without a look at the others.
func Indexers() *cache.Indexers {
	return resource.Indexers(map[string]func(*ksit.Integration) string{
		fieldType:  func(integration *ksit.Integration) string { return string(integration.Spec.Type) },
		fieldPhase: func(integration *ksit.Integration) string { return string(integration.Status.Phase) },
	})
}
