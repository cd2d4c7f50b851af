// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationHealth is what a probe finds that is made while the caller waits:
// the subresource health of an Installation. Nothing is written.
type InstallationHealth struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata: the name of the Installation.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	// probedAt is when the probe began.
	ProbedAt metav1.Time `json:"probedAt" protobuf:"bytes,2,opt,name=probedAt"`
	// tookMilliseconds is how long it took, in milliseconds.
	TookMilliseconds int64 `json:"tookMilliseconds" protobuf:"varint,3,opt,name=tookMilliseconds"`
	// state is Passed, Progressing, Failed or Unknown: the worst of the checks.
	State CheckState `json:"state" protobuf:"bytes,4,opt,name=state,casttype=CheckState"`
	// message says what the state is due to.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,5,opt,name=message"`
	// checks are the results, check by check.
	// +optional
	// +listType=atomic
	Checks []CheckResult `json:"checks,omitempty" protobuf:"bytes,6,rep,name=checks"`
	// unhealthy names the objects that are not as they should be; the first 20.
	// +optional
	// +listType=atomic
	Unhealthy []UnhealthyResource `json:"unhealthy,omitempty" protobuf:"bytes,7,rep,name=unhealthy"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationHistory is the history of what an Installation installed, read
// from the cluster while the caller waits: the subresource history.
type InstallationHistory struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata: the name of the Installation.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	// releases are those of the Installation, in the order in which they are
	// installed.
	// +optional
	// +listType=atomic
	Releases []ReleaseHistory `json:"releases,omitempty" protobuf:"bytes,2,rep,name=releases"`
}

// ReleaseHistory is the history of one release.
type ReleaseHistory struct {
	// name is the name of the release.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// namespace is the namespace of the release on the cluster.
	Namespace string `json:"namespace" protobuf:"bytes,2,opt,name=namespace"`
	// revisions are those that the cluster keeps, the newest first; 50 at most.
	// +optional
	// +listType=atomic
	Revisions []ReleaseRevision `json:"revisions,omitempty" protobuf:"bytes,3,rep,name=revisions"`
}

// ReleaseRevision is one revision of a release.
type ReleaseRevision struct {
	// revision is its number.
	Revision int64 `json:"revision" protobuf:"varint,1,opt,name=revision"`
	// status is Helm's word for it, such as deployed, superseded or failed.
	// +optional
	Status string `json:"status,omitempty" protobuf:"bytes,2,opt,name=status"`
	// deployedAt is when it was installed.
	// +optional
	DeployedAt *metav1.Time `json:"deployedAt,omitempty" protobuf:"bytes,3,opt,name=deployedAt"`
	// chart is the name of the chart; for manifests, their source.
	// +optional
	Chart string `json:"chart,omitempty" protobuf:"bytes,4,opt,name=chart"`
	// version is the version of the chart.
	// +optional
	Version string `json:"version,omitempty" protobuf:"bytes,5,opt,name=version"`
	// appVersion is the version of what the chart installs.
	// +optional
	AppVersion string `json:"appVersion,omitempty" protobuf:"bytes,6,opt,name=appVersion"`
	// description says how it came about.
	// +optional
	Description string `json:"description,omitempty" protobuf:"bytes,7,opt,name=description"`
	// digest is that of the chart, its version and its merged values, or of the
	// manifests: equal digests are equal content.
	// +optional
	Digest string `json:"digest,omitempty" protobuf:"bytes,8,opt,name=digest"`
}

// +k8s:conversion-gen:explicit-from=net/url.Values
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationManifestOptions are the query parameters of the subresource
// manifest.
type InstallationManifestOptions struct {
	metav1.TypeMeta `json:",inline"`
	// release is the name of a release. Default: all of them.
	// +optional
	Release string `json:"release,omitempty" protobuf:"bytes,1,opt,name=release"`
	// revision is a revision of release, which must then be given where there
	// are several. Default: what is installed.
	// +optional
	Revision int64 `json:"revision,omitempty" protobuf:"varint,2,opt,name=revision"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationManifest is what an Installation installed, read from the cluster
// while the caller waits: the subresource manifest. What is in Secrets is
// replaced.
type InstallationManifest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata: the name of the Installation.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	// releases are in the order in which they are installed.
	// +optional
	// +listType=atomic
	Releases []ReleaseManifest `json:"releases,omitempty" protobuf:"bytes,2,rep,name=releases"`
}

// ReleaseManifest is what one release consists of.
type ReleaseManifest struct {
	// name is the name of the release.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// namespace is the namespace of the release on the cluster.
	Namespace string `json:"namespace" protobuf:"bytes,2,opt,name=namespace"`
	// revision is the one that this is.
	// +optional
	Revision int64 `json:"revision,omitempty" protobuf:"varint,3,opt,name=revision"`
	// chart is the name of the chart; for manifests, their source.
	// +optional
	Chart string `json:"chart,omitempty" protobuf:"bytes,4,opt,name=chart"`
	// version is the version of the chart.
	// +optional
	Version string `json:"version,omitempty" protobuf:"bytes,5,opt,name=version"`
	// values are the values that were given to the chart, as YAML, with every
	// value that came from a Secret replaced.
	// +optional
	Values string `json:"values,omitempty" protobuf:"bytes,6,opt,name=values"`
	// manifest is the objects as YAML, one document each, hooks last, of at most
	// 4 MiB.
	// +optional
	Manifest string `json:"manifest,omitempty" protobuf:"bytes,7,opt,name=manifest"`
	// truncated is true where there is more than fits.
	// +optional
	Truncated bool `json:"truncated,omitempty" protobuf:"varint,8,opt,name=truncated"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationDiff, created at the subresource diff of an Installation, says
// what an apply would change on the cluster, by a server-side dry run. Nothing
// is written anywhere.
type InstallationDiff struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata: the name of the Installation.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	// spec says what would be applied.
	// +optional
	Spec InstallationDiffSpec `json:"spec,omitempty" protobuf:"bytes,2,opt,name=spec"`
	// status is the answer.
	// +optional
	Status InstallationDiffStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// InstallationDiffSpec says what would be applied.
type InstallationDiffSpec struct {
	// integration is a spec that the Integration might get: of it, autoInstall
	// and config count. Default: the spec that the Integration has.
	// +optional
	Integration *IntegrationSpec `json:"integration,omitempty" protobuf:"bytes,1,opt,name=integration"`
	// unchanged has the objects listed that would not change, as well. Default
	// false: they are only counted.
	// +optional
	Unchanged bool `json:"unchanged,omitempty" protobuf:"varint,2,opt,name=unchanged"`
}

// InstallationDiffStatus is what an apply would change.
type InstallationDiffStatus struct {
	// summary counts the objects.
	// +optional
	Summary DiffSummary `json:"summary,omitempty" protobuf:"bytes,1,opt,name=summary"`
	// objects are those that would change, in the order in which they would be
	// applied; 1000 at most, and no more than 4 MiB of them.
	// +optional
	// +listType=atomic
	Objects []ObjectDiff `json:"objects,omitempty" protobuf:"bytes,2,rep,name=objects"`
	// truncated is true where there is more than fits.
	// +optional
	Truncated bool `json:"truncated,omitempty" protobuf:"varint,3,opt,name=truncated"`
	// releases are what would be installed, with chart and version.
	// +optional
	// +listType=atomic
	Releases []ReleaseStatus `json:"releases,omitempty" protobuf:"bytes,4,rep,name=releases"`
	// notes are what could not be found out, such as hooks, which are not run,
	// or objects of kinds that the cluster does not know yet; 20 at most.
	// +optional
	// +listType=atomic
	Notes []string `json:"notes,omitempty" protobuf:"bytes,5,rep,name=notes"`
}

// DiffSummary counts objects by what would become of them.
type DiffSummary struct {
	// added are not on the cluster.
	Added int32 `json:"added" protobuf:"varint,1,opt,name=added"`
	// changed are there, and would become different.
	Changed int32 `json:"changed" protobuf:"varint,2,opt,name=changed"`
	// removed are there, and would be deleted.
	Removed int32 `json:"removed" protobuf:"varint,3,opt,name=removed"`
	// unchanged would stay as they are.
	Unchanged int32 `json:"unchanged" protobuf:"varint,4,opt,name=unchanged"`
}

// DiffChange is what would become of an object.
// +enum
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
	// apiVersion is its group and version.
	APIVersion string `json:"apiVersion" protobuf:"bytes,1,opt,name=apiVersion"`
	// kind is its kind.
	Kind string `json:"kind" protobuf:"bytes,2,opt,name=kind"`
	// namespace is its namespace; empty for a cluster-scoped object.
	// +optional
	Namespace string `json:"namespace,omitempty" protobuf:"bytes,3,opt,name=namespace"`
	// name is its name.
	Name string `json:"name" protobuf:"bytes,4,opt,name=name"`
	// change is Added, Changed, Removed, Unchanged or Refused.
	Change DiffChange `json:"change" protobuf:"bytes,5,opt,name=change,casttype=DiffChange"`
	// diff is the unified diff of the object as YAML, without what the API
	// server keeps by itself. What is in Secrets is replaced.
	// +optional
	Diff string `json:"diff,omitempty" protobuf:"bytes,6,opt,name=diff"`
	// message says why the cluster would not take it.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,7,opt,name=message"`
}

// +k8s:conversion-gen:explicit-from=net/url.Values
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationLogOptions are the query parameters of the subresource log.
type InstallationLogOptions struct {
	metav1.TypeMeta `json:",inline"`
	// follow has the stream go on until the caller ends it. Default false.
	// +optional
	Follow bool `json:"follow,omitempty" protobuf:"varint,1,opt,name=follow"`
	// tailLines is how many of the last lines there are begin the stream.
	// Default: all that are kept.
	// +optional
	TailLines *int64 `json:"tailLines,omitempty" protobuf:"varint,2,opt,name=tailLines"`
	// sinceSeconds leaves out what is older, in seconds.
	// +optional
	SinceSeconds *int64 `json:"sinceSeconds,omitempty" protobuf:"varint,3,opt,name=sinceSeconds"`
	// timestamps begins each line with its time, as RFC 3339. Default false.
	// +optional
	Timestamps bool `json:"timestamps,omitempty" protobuf:"varint,4,opt,name=timestamps"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationLog is what the controller did on an Installation, line by line.
// The controller adds to it at the subresource log; users read it there as text.
type InstallationLog struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata: the name of the Installation.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	// lines are in the order of time. The last 500 are kept, of 128 KiB together.
	// +optional
	// +listType=atomic
	Lines []LogLine `json:"lines,omitempty" protobuf:"bytes,2,rep,name=lines"`
	// written counts all lines that were ever added.
	// +optional
	Written int64 `json:"written,omitempty" protobuf:"varint,3,opt,name=written"`
}

// LogLine is one line of a log.
type LogLine struct {
	// time is when it was said.
	Time metav1.MicroTime `json:"time" protobuf:"bytes,1,opt,name=time"`
	// message is what was said, of at most 1024 bytes, without line breaks.
	Message string `json:"message" protobuf:"bytes,2,opt,name=message"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// IntegrationTargetHealth is what a probe of a cluster finds that is made while
// the caller waits: the subresource health. Nothing is written.
type IntegrationTargetHealth struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata: the name of the IntegrationTarget.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	// probedAt is when the probe began.
	ProbedAt metav1.Time `json:"probedAt" protobuf:"bytes,2,opt,name=probedAt"`
	// tookMilliseconds is how long it took, in milliseconds.
	TookMilliseconds int64 `json:"tookMilliseconds" protobuf:"varint,3,opt,name=tookMilliseconds"`
	// ready is true when the cluster can be installed on.
	Ready bool `json:"ready" protobuf:"varint,4,opt,name=ready"`
	// conditions are Ready, CredentialsValid, Reachable and Authorized, as in the
	// status of an IntegrationTarget.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" protobuf:"bytes,5,rep,name=conditions"`
	// version is the version of the cluster's Kubernetes API server.
	// +optional
	Version string `json:"version,omitempty" protobuf:"bytes,6,opt,name=version"`
	// nodes counts the nodes of the cluster. Absent when the credentials may not
	// list nodes.
	// +optional
	Nodes *NodeCounts `json:"nodes,omitempty" protobuf:"bytes,7,opt,name=nodes"`
	// endpoint is the URL of the cluster's API server.
	// +optional
	Endpoint string `json:"endpoint,omitempty" protobuf:"bytes,8,opt,name=endpoint"`
	// credentialsExpireAt is when the credentials end. Absent when they do not
	// say.
	// +optional
	CredentialsExpireAt *metav1.Time `json:"credentialsExpireAt,omitempty" protobuf:"bytes,9,opt,name=credentialsExpireAt"`
	// latencyMilliseconds is the round trip to the API server, in milliseconds.
	// +optional
	LatencyMilliseconds int64 `json:"latencyMilliseconds,omitempty" protobuf:"varint,10,opt,name=latencyMilliseconds"`
}

// +k8s:conversion-gen:explicit-from=net/url.Values
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// IntegrationTargetProxyOptions are the query parameters of the subresource
// proxy.
type IntegrationTargetProxyOptions struct {
	metav1.TypeMeta `json:",inline"`
	// path is the path on the API server of the cluster, such as /api/v1/pods.
	// +optional
	Path string `json:"path,omitempty" protobuf:"bytes,1,opt,name=path"`
}
