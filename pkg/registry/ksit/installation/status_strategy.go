// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/validation"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// StatusStrategy governs the status of Installations.
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
// manages which field.
func (StatusStrategy) PrepareForUpdate(_ context.Context, obj, old runtime.Object) {
	installation, before := obj.(*ksit.Installation), old.(*ksit.Installation)
	installation.Spec = before.Spec
	metav1.ResetObjectMetaForStatus(&installation.ObjectMeta, &before.ObjectMeta)
}

// ValidateUpdate checks the status.
func (StatusStrategy) ValidateUpdate(_ context.Context, obj, _ runtime.Object) field.ErrorList {
	return validation.ValidateInstallationStatusUpdate(obj.(*ksit.Installation))
}
