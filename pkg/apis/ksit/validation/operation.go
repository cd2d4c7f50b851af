// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const (
	// maxRequestID bounds the id of a request, which is a UUID.
	maxRequestID = 64
	// maxRequestedBy bounds the name of a user, or of another cause, in bytes.
	maxRequestedBy = 1024
)

// ValidateRollbackRequest checks what somebody wants brought back.
func ValidateRollbackRequest(request *ksit.RollbackRequest) field.ErrorList {
	return validateRevision(request.Spec.Release, request.Spec.Revision, field.NewPath("spec"))
}

func validateRevision(release string, revision int64, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if release != "" {
		// Which is also what keeps it short.
		for _, message := range utilvalidation.IsDNS1123Subdomain(release) {
			errs = append(errs, field.Invalid(path.Child("release"), release, message))
		}
	}
	return append(errs, validateNotNegative(path, count{"revision", revision})...)
}

// ValidateOperationRequest checks a request as it is stored.
func ValidateOperationRequest(request *ksit.OperationRequest, path *field.Path) field.ErrorList {
	if request == nil {
		return nil
	}
	errs := validateEnum(request.Type, path.Child("type"), []ksit.OperationType{ksit.OperationRollback, ksit.OperationReconcile})
	if request.ID == "" {
		errs = append(errs, field.Required(path.Child("id"), "the id of the request"))
	}
	if request.RequestedAt.IsZero() {
		errs = append(errs, field.Required(path.Child("requestedAt"), "when it was asked for"))
	}
	errs = append(errs, validateRevision(request.Release, request.Revision, path)...)
	return append(errs, validateLengths(path,
		text{"id", request.ID, maxRequestID},
		text{"requestedBy", request.RequestedBy, maxRequestedBy})...)
}

func validateOperations(operations []ksit.Operation, path *field.Path) field.ErrorList {
	if len(operations) > v1alpha1.MaxOperations {
		return field.ErrorList{field.TooMany(path, len(operations), v1alpha1.MaxOperations)}
	}
	var errs field.ErrorList
	for i := range operations {
		errs = append(errs, validateOperation(&operations[i], path.Index(i))...)
	}
	return errs
}

func validateOperation(operation *ksit.Operation, path *field.Path) field.ErrorList {
	errs := validateEnum(operation.Type, path.Child("type"), []ksit.OperationType{
		ksit.OperationInstall, ksit.OperationUpgrade, ksit.OperationUninstall, ksit.OperationRollback, ksit.OperationCorrect, ksit.OperationReconcile})
	errs = append(errs, validateEnum(operation.Outcome, path.Child("outcome"), []ksit.OperationOutcome{
		ksit.OperationPending, ksit.OperationRunning, ksit.OperationSucceeded, ksit.OperationFailed, ksit.OperationSuperseded})...)
	if operation.StartedAt.IsZero() {
		errs = append(errs, field.Required(path.Child("startedAt"), "when it began"))
	}
	errs = append(errs, validateRevision(operation.Release, operation.Revision, path)...)
	errs = append(errs, validateLengths(path,
		text{"id", operation.ID, maxRequestID},
		text{"requestedBy", operation.RequestedBy, maxRequestedBy})...)
	return append(errs, validateMessage(operation.Message, path.Child("message"))...)
}

func validateHold(hold *ksit.Hold, path *field.Path) field.ErrorList {
	if hold == nil {
		return nil
	}
	var errs field.ErrorList
	if hold.Digest == "" {
		errs = append(errs, field.Required(path.Child("digest"), "the digest of what is not installed"))
	}
	if hold.Since.IsZero() {
		errs = append(errs, field.Required(path.Child("since"), "when the rollback was carried out"))
	}
	errs = append(errs, validateRevision(hold.Release, hold.Revision, path)...)
	return append(errs, validateLengths(path,
		text{"digest", hold.Digest, maxDigestLength},
		text{"requestedBy", hold.RequestedBy, maxRequestedBy})...)
}
