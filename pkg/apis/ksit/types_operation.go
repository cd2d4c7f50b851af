// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package ksit

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// OperationType names what was done on a cluster.
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
	Type        OperationType
	Outcome     OperationOutcome
	StartedAt   metav1.Time
	FinishedAt  *metav1.Time
	Message     string
	RequestedBy string
	ID          string
	Revision    int64
	Release     string
}

// OperationRequest is what somebody asked for through a subresource. The API
// server writes it, the controller carries it out.
type OperationRequest struct {
	ID          string
	Type        OperationType
	Release     string
	Revision    int64
	RequestedBy string
	RequestedAt metav1.Time
}

// Hold is a rollback that somebody asked for. What it was rolled back from is
// not installed again by itself: not before the spec asks for something else, or
// somebody asks for a reconcile.
type Hold struct {
	Digest      string
	Release     string
	Revision    int64
	RequestedBy string
	Since       metav1.Time
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ReconcileRequest, created at the subresource reconcile of an Integration, an
// Installation or an IntegrationTarget, has what there is to do done at once. It
// clears a spent budget of retries, and ends what a rollback holds back.
type ReconcileRequest struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Status OperationRequestStatus
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// RollbackRequest, created at the subresource rollback of an Installation, has
// an earlier revision of a release brought back, on that cluster alone.
type RollbackRequest struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Spec   RollbackRequestSpec
	Status OperationRequestStatus
}

// RollbackRequestSpec says what is brought back.
type RollbackRequestSpec struct {
	Release  string
	Revision int64
}

// OperationRequestStatus is the record of a request. What becomes of it is in
// status.operations of the Installation, under the same id.
type OperationRequestStatus struct {
	ID          string
	RequestedBy string
	RequestedAt metav1.Time
}
