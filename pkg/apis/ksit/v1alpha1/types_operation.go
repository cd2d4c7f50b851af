// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// OperationType names what was done on a cluster.
// +enum
type OperationType string

const (
	// OperationInstall is a first install.
	OperationInstall OperationType = "Install"
	// OperationUpgrade is a change of what is installed.
	OperationUpgrade OperationType = "Upgrade"
	// OperationUninstall is a removal.
	OperationUninstall OperationType = "Uninstall"
	// OperationRollback brings back an earlier revision: the last that went
	// through, or the one that somebody asked for.
	OperationRollback OperationType = "Rollback"
	// OperationCorrect undoes drift.
	OperationCorrect OperationType = "Correct"
	// OperationReconcile does at once what there is to do, and clears the count
	// of failures.
	OperationReconcile OperationType = "Reconcile"
)

// OperationOutcome is how an operation ended.
// +enum
type OperationOutcome string

const (
	// OperationPending means that it was asked for and did not begin yet.
	OperationPending OperationOutcome = "Pending"
	// OperationRunning means that it goes on.
	OperationRunning OperationOutcome = "Running"
	// OperationSucceeded means that it went through.
	OperationSucceeded OperationOutcome = "Succeeded"
	// OperationFailed means that it failed.
	OperationFailed OperationOutcome = "Failed"
	// OperationSuperseded means that another was asked for before it began.
	OperationSuperseded OperationOutcome = "Superseded"
)

// Operation is something done on a cluster.
type Operation struct {
	// type is Install, Upgrade, Uninstall, Rollback, Correct or Reconcile.
	Type OperationType `json:"type" protobuf:"bytes,1,opt,name=type,casttype=OperationType"`
	// outcome is Pending, Running, Succeeded, Failed or Superseded.
	Outcome OperationOutcome `json:"outcome" protobuf:"bytes,2,opt,name=outcome,casttype=OperationOutcome"`
	// startedAt is when it began.
	StartedAt metav1.Time `json:"startedAt" protobuf:"bytes,3,opt,name=startedAt"`
	// finishedAt is when it ended.
	// +optional
	FinishedAt *metav1.Time `json:"finishedAt,omitempty" protobuf:"bytes,4,opt,name=finishedAt"`
	// message says how it ended.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,5,opt,name=message"`
	// requestedBy says what asked for it: spec, the reconcile annotation, a
	// retry, or the name of the user who did.
	// +optional
	RequestedBy string `json:"requestedBy,omitempty" protobuf:"bytes,6,opt,name=requestedBy"`
	// id is that of the request, for what was asked for through a subresource.
	// +optional
	ID string `json:"id,omitempty" protobuf:"bytes,7,opt,name=id"`
	// revision is the one that a rollback was asked to bring back.
	// +optional
	Revision int64 `json:"revision,omitempty" protobuf:"varint,8,opt,name=revision"`
	// release is the release that a rollback was asked for.
	// +optional
	Release string `json:"release,omitempty" protobuf:"bytes,9,opt,name=release"`
}

// OperationRequest is what somebody asked for through a subresource. The API
// server writes it, the controller carries it out.
type OperationRequest struct {
	// id names the request. The operation that carries it out has the same.
	ID string `json:"id" protobuf:"bytes,1,opt,name=id"`
	// type is Rollback or Reconcile.
	Type OperationType `json:"type" protobuf:"bytes,2,opt,name=type,casttype=OperationType"`
	// release is the release to roll back, where it is one of several.
	// +optional
	Release string `json:"release,omitempty" protobuf:"bytes,3,opt,name=release"`
	// revision is the revision to bring back; zero for the last one before the
	// present that went through.
	// +optional
	Revision int64 `json:"revision,omitempty" protobuf:"varint,4,opt,name=revision"`
	// requestedBy is the name of the user who asked.
	RequestedBy string `json:"requestedBy" protobuf:"bytes,5,opt,name=requestedBy"`
	// requestedAt is when.
	RequestedAt metav1.Time `json:"requestedAt" protobuf:"bytes,6,opt,name=requestedAt"`
}

// Hold is a rollback that somebody asked for. What it was rolled back from is
// not installed again by itself: not before the spec asks for something else, or
// somebody asks for a reconcile.
type Hold struct {
	// digest is that of what is not installed.
	Digest string `json:"digest" protobuf:"bytes,1,opt,name=digest"`
	// release is the release that was rolled back.
	// +optional
	Release string `json:"release,omitempty" protobuf:"bytes,2,opt,name=release"`
	// revision is the one that was brought back.
	// +optional
	Revision int64 `json:"revision,omitempty" protobuf:"varint,3,opt,name=revision"`
	// requestedBy is the name of the user who asked for the rollback.
	// +optional
	RequestedBy string `json:"requestedBy,omitempty" protobuf:"bytes,4,opt,name=requestedBy"`
	// since is when it was carried out.
	Since metav1.Time `json:"since" protobuf:"bytes,5,opt,name=since"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ReconcileRequest, created at the subresource reconcile of an Integration, an
// Installation or an IntegrationTarget, has what there is to do done at once. It
// clears a spent budget of retries, and ends what a rollback holds back.
type ReconcileRequest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata: the name of the object that is reconciled.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	// status is the record of the request.
	// +optional
	Status OperationRequestStatus `json:"status,omitempty" protobuf:"bytes,2,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// RollbackRequest, created at the subresource rollback of an Installation, has
// an earlier revision of a release brought back, on that cluster alone.
type RollbackRequest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata: the name of the Installation.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	// spec says what is brought back.
	// +optional
	Spec RollbackRequestSpec `json:"spec,omitempty" protobuf:"bytes,2,opt,name=spec"`
	// status is the record of the request.
	// +optional
	Status OperationRequestStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// RollbackRequestSpec says what is brought back.
type RollbackRequestSpec struct {
	// release is the name of the release. Default: the last one of the
	// Installation, which is the one that the user named.
	// +optional
	Release string `json:"release,omitempty" protobuf:"bytes,1,opt,name=release"`
	// revision is the revision to bring back, as the subresource history names
	// it. Default: the last one before the present that went through.
	// +optional
	Revision int64 `json:"revision,omitempty" protobuf:"varint,2,opt,name=revision"`
}

// OperationRequestStatus is the record of a request. What becomes of it is in
// status.operations of the Installation, under the same id.
type OperationRequestStatus struct {
	// id names the request.
	// +optional
	ID string `json:"id,omitempty" protobuf:"bytes,1,opt,name=id"`
	// requestedBy is the name of the user who asked.
	// +optional
	RequestedBy string `json:"requestedBy,omitempty" protobuf:"bytes,2,opt,name=requestedBy"`
	// requestedAt is when.
	// +optional
	RequestedAt metav1.Time `json:"requestedAt,omitempty" protobuf:"bytes,3,opt,name=requestedAt"`
}
