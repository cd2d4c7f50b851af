// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package ksit

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationHealth is what a probe finds that is made while the caller waits:
// the subresource health of an Installation. Nothing is written.
type InstallationHealth struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	ProbedAt         metav1.Time
	TookMilliseconds int64
	State            CheckState
	Message          string
	Checks           []CheckResult
	Unhealthy        []UnhealthyResource
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationHistory is the history of what an Installation installed, read
// from the cluster while the caller waits: the subresource history.
type InstallationHistory struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Releases []ReleaseHistory
}

// ReleaseHistory is the history of one release.
type ReleaseHistory struct {
	Name      string
	Namespace string
	Revisions []ReleaseRevision
}

// ReleaseRevision is one revision of a release.
type ReleaseRevision struct {
	Revision    int64
	Status      string
	DeployedAt  *metav1.Time
	Chart       string
	Version     string
	AppVersion  string
	Description string
	Digest      string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationManifestOptions are the query parameters of the subresource
// manifest.
type InstallationManifestOptions struct {
	metav1.TypeMeta
	Release  string
	Revision int64
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationManifest is what an Installation installed, read from the cluster
// while the caller waits: the subresource manifest. What is in Secrets is
// replaced.
type InstallationManifest struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Releases []ReleaseManifest
}

// ReleaseManifest is what one release consists of.
type ReleaseManifest struct {
	Name      string
	Namespace string
	Revision  int64
	Chart     string
	Version   string
	Values    string
	Manifest  string
	Truncated bool
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationDiff, created at the subresource diff of an Installation, says
// what an apply would change on the cluster, by a server-side dry run. Nothing
// is written anywhere.
type InstallationDiff struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Spec   InstallationDiffSpec
	Status InstallationDiffStatus
}

// InstallationDiffSpec says what would be applied.
type InstallationDiffSpec struct {
	Integration *IntegrationSpec
	Unchanged   bool
}

// InstallationDiffStatus is what an apply would change.
type InstallationDiffStatus struct {
	Summary   DiffSummary
	Objects   []ObjectDiff
	Truncated bool
	Releases  []ReleaseStatus
	Notes     []string
}

// DiffSummary counts objects by what would become of them.
type DiffSummary struct {
	Added     int32
	Changed   int32
	Removed   int32
	Unchanged int32
}

// DiffChange is what would become of an object.
type DiffChange string

const (
	// DiffAdded is that it would be created.
	DiffAdded DiffChange = "Added"
	// DiffChanged is that it would become different.
	DiffChanged DiffChange = "Changed"
	// DiffRemoved is that it would be deleted.
	DiffRemoved DiffChange = "Removed"
	// DiffUnchanged is that it would stay as it is.
	DiffUnchanged DiffChange = "Unchanged"
	// DiffRefused is that the cluster would not take it.
	DiffRefused DiffChange = "Refused"
)

// ObjectDiff says what would become of an object.
type ObjectDiff struct {
	APIVersion string
	Kind       string
	Namespace  string
	Name       string
	Change     DiffChange
	Diff       string
	Message    string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationLogOptions are the query parameters of the subresource log.
type InstallationLogOptions struct {
	metav1.TypeMeta
	Follow       bool
	TailLines    *int64
	SinceSeconds *int64
	Timestamps   bool
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationLog is what the controller did on an Installation, line by line.
// The controller adds to it at the subresource log; users read it there as text.
type InstallationLog struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Lines   []LogLine
	Written int64
}

// LogLine is one line of a log.
type LogLine struct {
	Time    metav1.MicroTime
	Message string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// IntegrationTargetHealth is what a probe of a cluster finds that is made while
// the caller waits: the subresource health. Nothing is written.
type IntegrationTargetHealth struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	ProbedAt            metav1.Time
	TookMilliseconds    int64
	Ready               bool
	Conditions          []metav1.Condition
	Version             string
	Nodes               *NodeCounts
	Endpoint            string
	CredentialsExpireAt *metav1.Time
	LatencyMilliseconds int64
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// IntegrationTargetProxyOptions are the query parameters of the subresource
// proxy.
type IntegrationTargetProxyOptions struct {
	metav1.TypeMeta
	Path string
}
