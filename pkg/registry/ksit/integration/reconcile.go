// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// AskReconcile enters a request to do at once what there is to do, on every
// cluster, as the annotation reconcile does.
func AskReconcile(_ context.Context, object runtime.Object, _ *ksit.ReconcileRequest, record ksit.OperationRequestStatus) error {
	integration := object.(*ksit.Integration)
	if integration.Spec.Enabled != nil && !*integration.Spec.Enabled && integration.DeletionTimestamp == nil {
		return resource.Refuse("integrations", integration.Name, "spec.enabled is false: nothing is installed or probed until it is true")
	}
	resource.AskByAnnotation(integration, record.ID)
	return nil
}
