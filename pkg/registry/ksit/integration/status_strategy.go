// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/validation"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// StatusStrategy governs the status of Integrations.
type StatusStrategy struct {
	resource.StatusStrategy
}

var _ rest.UpdateResetFieldsStrategy = StatusStrategy{}

// NewStatusStrategy returns the strategy for the status of what strategy
// governs.
func NewStatusStrategy(strategy Strategy) StatusStrategy {
	return StatusStrategy{StatusStrategy: resource.StatusStrategy{Strategy: strategy.Strategy}}
}

// PrepareForUpdate keeps everything but the status, and the record of who
// manages which field. Of the status it keeps who asked for the targets: no
// writer of a status may speak for somebody else.
func (StatusStrategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	integration, before := obj.(*ksit.Integration), old.(*ksit.Integration)
	integration.Spec = before.Spec
	integration.Status.TargetsRequestedBy = before.Status.TargetsRequestedBy
	metav1.ResetObjectMetaForStatus(&integration.ObjectMeta, &before.ObjectMeta)
}

// GetResetFields names what a write of the status does not change.
func (s StatusStrategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	fields := s.StatusStrategy.GetResetFields()
	for version, kept := range resource.ResetFields(resource.Path{"status", "targetsRequestedBy"}) {
		fields[version] = fields[version].Union(kept)
	}
	return fields
}

// ValidateUpdate checks the status.
func (StatusStrategy) ValidateUpdate(_ context.Context, obj, _ runtime.Object) field.ErrorList {
	return validation.ValidateIntegrationStatusUpdate(obj.(*ksit.Integration))
}
