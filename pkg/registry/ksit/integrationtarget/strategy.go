// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integrationtarget decides what may be stored of an IntegrationTarget,
// and in which form.
package integrationtarget

import (
	"context"
	"fmt"
	"strconv"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/validation"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// Strategy governs IntegrationTargets but for their status. Its methods take
// objects of type *ksit.IntegrationTarget.
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

// PrepareForCreate clears the status, and names the cluster after an object
// whose own name was only just generated.
func (Strategy) PrepareForCreate(ctx context.Context, obj runtime.Object) {
	target := obj.(*ksit.IntegrationTarget)
	target.Status = ksit.IntegrationTargetStatus{}
	target.Generation = 1
	resource.NoteRequester(ctx, target, nil)
	if target.Spec.ClusterName == "" {
		target.Spec.ClusterName = target.Name
	}
}

// PrepareForUpdate keeps the status, and counts a change of the spec.
func (Strategy) PrepareForUpdate(ctx context.Context, obj, old runtime.Object) {
	target, before := obj.(*ksit.IntegrationTarget), old.(*ksit.IntegrationTarget)
	target.Status = before.Status
	resource.NoteRequester(ctx, target, before)
	if !apiequality.Semantic.DeepEqual(target.Spec, before.Spec) {
		target.Generation = before.Generation + 1
	}
}

// Validate checks a new object.
func (Strategy) Validate(_ context.Context, obj runtime.Object) field.ErrorList {
	return validation.ValidateIntegrationTarget(obj.(*ksit.IntegrationTarget))
}

// ValidateUpdate checks a changed object.
func (Strategy) ValidateUpdate(_ context.Context, obj, old runtime.Object) field.ErrorList {
	return validation.ValidateIntegrationTargetUpdate(obj.(*ksit.IntegrationTarget), old.(*ksit.IntegrationTarget))
}

// WarningsOnCreate says what is accepted and may still not be meant.
func (Strategy) WarningsOnCreate(_ context.Context, obj runtime.Object) []string {
	return warnings(obj.(*ksit.IntegrationTarget))
}

// WarningsOnUpdate warns again only while the spec is being changed.
func (Strategy) WarningsOnUpdate(_ context.Context, obj, old runtime.Object) []string {
	target := obj.(*ksit.IntegrationTarget)
	if target.Generation == old.(*ksit.IntegrationTarget).Generation {
		return nil
	}
	return warnings(target)
}

// GetResetFields names what a write of the object does not change.
func (Strategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return resource.ResetFields(resource.Path{"status"}, resource.RequesterPath())
}

const (
	fieldClusterName = "spec.clusterName"
	fieldReady       = "status.ready"
)

// SelectableFields returns the fields of an IntegrationTarget that a field
// selector may name.
func SelectableFields(target *ksit.IntegrationTarget) fields.Set {
	return generic.AddObjectMetaFieldsSet(fields.Set{
		fieldClusterName: target.Spec.ClusterName,
		fieldReady:       strconv.FormatBool(target.Status.Ready),
	}, &target.ObjectMeta, true)
}

// GetAttrs returns what selectors select an IntegrationTarget by.
func GetAttrs(obj runtime.Object) (labels.Set, fields.Set, error) {
	target, ok := obj.(*ksit.IntegrationTarget)
	if !ok {
		return nil, nil, fmt.Errorf("selecting integration targets: got a %T", obj)
	}
	return target.Labels, SelectableFields(target), nil
}

// MatchIntegrationTarget returns the predicate of a list or watch. There are no
// indexes: clusters are few beside what is installed on them.
func MatchIntegrationTarget(label labels.Selector, field fields.Selector) storage.SelectionPredicate {
	return storage.SelectionPredicate{Label: label, Field: field, GetAttrs: GetAttrs}
}
