// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/validation"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// AskReconcile enters a request to do at once what there is to do. One that is
// being deleted is uninstalled at once.
func AskReconcile(_ context.Context, object runtime.Object, _ *ksit.ReconcileRequest, record ksit.OperationRequestStatus) error {
	installation := object.(*ksit.Installation)
	if !installation.Spec.Enabled && installation.DeletionTimestamp == nil {
		return resource.Refuse("installations", installation.Name, "spec.enabled of Integration %s is false: nothing is done here until it is true", installation.Spec.Integration)
	}
	enter(installation, ksit.OperationReconcile, record)
	return nil
}

// AskRollback enters a request to bring back a revision.
func AskRollback(_ context.Context, object runtime.Object, request *ksit.RollbackRequest, record ksit.OperationRequestStatus) error {
	installation := object.(*ksit.Installation)
	if errs := validateRollback(installation, request); len(errs) > 0 {
		return apierrors.NewInvalid(ksit.Kind("RollbackRequest"), installation.Name, errs)
	}
	if why := whyNoRollback(installation); why != "" {
		return resource.Refuse("installations", installation.Name, "%s", why)
	}
	enter(installation, ksit.OperationRollback, record)
	installation.Spec.Operation.Release, installation.Spec.Operation.Revision = request.Spec.Release, request.Spec.Revision
	return nil
}

func enter(installation *ksit.Installation, kind ksit.OperationType, record ksit.OperationRequestStatus) {
	installation.Spec.Operation = &ksit.OperationRequest{
		ID: record.ID, Type: kind, RequestedBy: record.RequestedBy, RequestedAt: record.RequestedAt,
	}
}

func validateRollback(installation *ksit.Installation, request *ksit.RollbackRequest) field.ErrorList {
	errs := validation.ValidateRollbackRequest(request)
	if len(errs) > 0 || request.Spec.Release == "" || len(installation.Status.Releases) == 0 {
		return errs
	}
	var names []string
	for _, release := range installation.Status.Releases {
		if release.Name == request.Spec.Release {
			return nil
		}
		names = append(names, release.Name)
	}
	return field.ErrorList{field.NotSupported(field.NewPath("spec", "release"), request.Spec.Release, names)}
}

// whyNoRollback says why nothing can be rolled back, so far as that is known
// here; empty where it may.
func whyNoRollback(installation *ksit.Installation) string {
	install := installation.Spec.AutoInstall
	switch {
	case installation.DeletionTimestamp != nil:
		return "it is being uninstalled"
	case !installation.Spec.Enabled:
		return fmt.Sprintf("spec.enabled of Integration %s is false: nothing is done here until it is true", installation.Spec.Integration)
	case install == nil || !install.Enabled:
		return fmt.Sprintf("spec.autoInstall.enabled of Integration %s is false: KSIT only probes what somebody else installed", installation.Spec.Integration)
	case len(installation.Status.Releases) == 0 && installation.Status.LastOperation == nil:
		return "nothing has been installed yet"
	default:
		return ""
	}
}
