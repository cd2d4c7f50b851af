// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package ksit

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Installation is one Integration on one IntegrationTarget. The controller
// makes, changes and deletes it; users read it.
type Installation struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Spec   InstallationSpec
	Status InstallationStatus
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationList is a list of Installations.
type InstallationList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []Installation
}

// InstallationSpec is what shall run on one cluster: the controller copies it
// from the Integration, target by target.
type InstallationSpec struct {
	Integration      string
	Target           string
	Type             IntegrationType
	Enabled          bool
	AutoInstall      *AutoInstall
	Config           map[string]string
	ReconcileRequest string
	DependsOn        []IntegrationDependency
	WaitsFor         string
	SourcesDigest    string
	TargetNamespace  string
	Operation        *OperationRequest
}

// InstallationStatus is what is on the cluster, and what was last done there.
type InstallationStatus struct {
	ObservedGeneration   int64
	Phase                Phase
	Message              string
	Conditions           []metav1.Condition
	Releases             []ReleaseStatus
	AppliedDigest        string
	Checks               []CheckResult
	Unhealthy            []UnhealthyResource
	LastOperation        *Operation
	Failures             int32
	NextRetryTime        *metav1.Time
	LastReconcileRequest string
	AttemptedDigest      string
	Retries              int32
	Drifted              []DriftedResource
	Values               string
	Operations           []Operation
	Hold                 *Hold
	LastRequest          string
}

// ReleaseStatus is one Helm release, or one set of manifests, on the cluster.
type ReleaseStatus struct {
	Name       string
	Namespace  string
	Chart      string
	Version    string
	AppVersion string
	Revision   int64
	Digest     string
	Adopted    bool
	Objects    int32
}

// CheckState is the outcome of a check.
type CheckState string

const (
	// CheckPassed means that all is as it should be.
	CheckPassed CheckState = "Passed"
	// CheckProgressing means that it is on its way there.
	CheckProgressing CheckState = "Progressing"
	// CheckFailed means that it is not as it should be.
	CheckFailed CheckState = "Failed"
	// CheckUnknown means that it could not be found out.
	CheckUnknown CheckState = "Unknown"
)

// CheckResult is the outcome of one check of a probe.
type CheckResult struct {
	Name    string
	State   CheckState
	Message string
}

// UnhealthyResource names an object on the cluster and what is wrong with it.
type UnhealthyResource struct {
	Kind      string
	Namespace string
	Name      string
	State     CheckState
	Reason    string
	Message   string
}

// DriftedResource names an object that is not as it was applied.
type DriftedResource struct {
	Kind      string
	Namespace string
	Name      string
	Missing   bool
	Fields    []string
}
