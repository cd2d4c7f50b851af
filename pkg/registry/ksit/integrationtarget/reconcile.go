// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integrationtarget

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// AskReconcile enters a request to connect to the cluster and probe it at once.
func AskReconcile(_ context.Context, object runtime.Object, _ *ksit.ReconcileRequest, record ksit.OperationRequestStatus) error {
	target := object.(*ksit.IntegrationTarget)
	if target.Spec.Suspend {
		return resource.Refuse("integrationtargets", target.Name, "spec.suspend is true: nothing is installed or probed until it is false")
	}
	resource.AskByAnnotation(target, record.ID)
	return nil
}
