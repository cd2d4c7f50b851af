// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/apis/ksit/validation"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// OperationStrategy governs spec.operation, which only the subresources that
// ask for something write.
type OperationStrategy struct {
	resource.StatusStrategy
}

var _ rest.UpdateResetFieldsStrategy = OperationStrategy{}

// NewOperationStrategy returns the strategy for what is asked of that which
// strategy governs.
func NewOperationStrategy(strategy Strategy) OperationStrategy {
	return OperationStrategy{StatusStrategy: resource.StatusStrategy{Strategy: strategy.Strategy}}
}

// PrepareForUpdate keeps everything but spec.operation. The request is recorded
// in status.operations at once, and one before it that has not begun yet is
// superseded: whoever asked finds there what became of it. The trace of the request
// is noted too.
func (OperationStrategy) PrepareForUpdate(ctx context.Context, obj, old runtime.Object) {
	installation, before := obj.(*ksit.Installation), old.(*ksit.Installation)
	request := installation.Spec.Operation
	// The managed fields are those of before: nobody owns a request.
	*installation = *before.DeepCopy()
	installation.Spec.Operation = request
	if request == nil {
		return
	}
	installation.Generation = before.Generation + 1
	resource.NoteTrace(ctx, installation, before, true)
	st := &installation.Status
	for n := range st.Operations {
		if o := &st.Operations[n]; o.Outcome == ksit.OperationPending {
			finished := request.RequestedAt
			o.Outcome, o.FinishedAt = ksit.OperationSuperseded, &finished
			o.Message = "another was asked for before it began, by " + request.RequestedBy
		}
	}
	st.Operations = slices.Insert(st.Operations, 0, ksit.Operation{
		Type: request.Type, Outcome: ksit.OperationPending, StartedAt: request.RequestedAt,
		ID: request.ID, RequestedBy: request.RequestedBy, Release: request.Release, Revision: request.Revision,
	})
	if len(st.Operations) > v1alpha1.MaxOperations {
		st.Operations = st.Operations[:v1alpha1.MaxOperations]
	}
}

// ValidateUpdate checks the request.
func (OperationStrategy) ValidateUpdate(_ context.Context, obj, _ runtime.Object) field.ErrorList {
	return validation.ValidateOperationRequest(obj.(*ksit.Installation).Spec.Operation, field.NewPath("spec", "operation"))
}
