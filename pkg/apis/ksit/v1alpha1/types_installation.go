// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +genclient
// +genclient:method=Reconcile,verb=create,subresource=reconcile,input=ReconcileRequest,result=ReconcileRequest
// +genclient:method=Rollback,verb=create,subresource=rollback,input=RollbackRequest,result=RollbackRequest
// +genclient:method=Diff,verb=create,subresource=diff,input=InstallationDiff,result=InstallationDiff
// +genclient:method=GetHistory,verb=get,subresource=history,result=InstallationHistory
// +genclient:method=GetManifest,verb=get,subresource=manifest,result=InstallationManifest
// +genclient:method=GetHealth,verb=get,subresource=health,result=InstallationHealth
// +genclient:method=AppendLog,verb=create,subresource=log,input=InstallationLog,result=InstallationLog
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Installation is one Integration on one IntegrationTarget. The controller
// makes, changes and deletes it; users read it, and act on it through its
// subresources.
type Installation struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata. The name is that of the Integration, a dot, and
	// that of the target, with the namespace of the target and a dot in between
	// where that is another one: all are DNS labels, so it is unique and never
	// too long.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec is the part of the Integration that concerns this cluster.
	// +optional
	Spec InstallationSpec `json:"spec,omitempty" protobuf:"bytes,2,opt,name=spec"`
	// status is what is on the cluster, and what was last done there.
	// +optional
	Status InstallationStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// InstallationList is a list of Installations.
type InstallationList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	// items is the list of Installations.
	Items []Installation `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// InstallationSpec is what shall run on one cluster: the controller copies it
// from the Integration, target by target.
type InstallationSpec struct {
	// integration is the name of the Integration, in the same namespace.
	// Immutable.
	Integration string `json:"integration" protobuf:"bytes,1,opt,name=integration"`
	// target is the name of the IntegrationTarget, in this namespace or in
	// targetNamespace. Immutable.
	Target string `json:"target" protobuf:"bytes,2,opt,name=target"`
	// type is the type of the Integration. Immutable.
	Type IntegrationType `json:"type" protobuf:"bytes,3,opt,name=type,casttype=IntegrationType"`
	// enabled is whether KSIT acts on this cluster.
	// +optional
	Enabled bool `json:"enabled,omitempty" protobuf:"varint,4,opt,name=enabled"`
	// autoInstall says how it is installed.
	// +optional
	AutoInstall *AutoInstall `json:"autoInstall,omitempty" protobuf:"bytes,5,opt,name=autoInstall"`
	// config holds the settings of the Integration.
	// +optional
	Config map[string]string `json:"config,omitempty" protobuf:"bytes,6,rep,name=config"`
	// reconcileRequest is the value of the annotation `reconcile` of the
	// Integration: a new value has the work done at once, and clears the count
	// of failures.
	// +optional
	ReconcileRequest string `json:"reconcileRequest,omitempty" protobuf:"bytes,7,opt,name=reconcileRequest"`
	// dependsOn names the Integrations that must be Running on this cluster
	// before anything is installed or upgraded.
	// +optional
	// +listType=map
	// +listMapKey=name
	DependsOn []IntegrationDependency `json:"dependsOn,omitempty" protobuf:"bytes,8,rep,name=dependsOn"`
	// waitsFor says why the newest spec of the Integration is not yet this one's:
	// for its turn in the rollout. What is installed stays as it is, and a cluster
	// that has nothing yet gets nothing. Empty when it is its turn.
	// +optional
	WaitsFor string `json:"waitsFor,omitempty" protobuf:"bytes,9,opt,name=waitsFor"`
	// sourcesDigest is the digest of the ConfigMaps and Secrets that
	// autoInstall refers to, as they shall be installed. While they differ from
	// it, what is installed stays.
	// +optional
	SourcesDigest string `json:"sourcesDigest,omitempty" protobuf:"bytes,10,opt,name=sourcesDigest"`
	// targetNamespace is the namespace of the IntegrationTarget, where that is
	// not this one. Immutable.
	// +optional
	TargetNamespace string `json:"targetNamespace,omitempty" protobuf:"bytes,11,opt,name=targetNamespace"`
	// operation is what was last asked for through a subresource. Only the
	// subresources reconcile and rollback write it.
	// +optional
	Operation *OperationRequest `json:"operation,omitempty" protobuf:"bytes,12,opt,name=operation"`
}

// InstallationStatus is what is on the cluster, and what was last done there.
type InstallationStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty" protobuf:"varint,1,opt,name=observedGeneration"`
	// phase sums up the conditions.
	// +optional
	Phase Phase `json:"phase,omitempty" protobuf:"bytes,2,opt,name=phase,casttype=Phase"`
	// message says which resource the phase is due to, and what to do.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
	// conditions are Ready (installed as the spec says, and healthy), Installed
	// (the last install or upgrade went through), Healthy (every check of the
	// last probe passed), Stalled (KSIT cannot go on without somebody's help),
	// Drifted (objects are no longer as they were applied) and Remediated (the
	// retries were spent, and what was done then).
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,4,rep,name=conditions"`
	// releases are what is installed, in the order in which it was.
	// +optional
	// +listType=atomic
	Releases []ReleaseStatus `json:"releases,omitempty" protobuf:"bytes,5,rep,name=releases"`
	// appliedDigest is the digest of what was last installed whole: charts,
	// versions, values, manifests and policy. While it equals that of the spec,
	// nothing is sent to the cluster.
	// +optional
	AppliedDigest string `json:"appliedDigest,omitempty" protobuf:"bytes,6,opt,name=appliedDigest"`
	// checks are the results of the last probe, check by check; 32 at most.
	// +optional
	// +listType=atomic
	Checks []CheckResult `json:"checks,omitempty" protobuf:"bytes,7,rep,name=checks"`
	// unhealthy names the objects that are not as they should be; the first 20.
	// +optional
	// +listType=atomic
	Unhealthy []UnhealthyResource `json:"unhealthy,omitempty" protobuf:"bytes,8,rep,name=unhealthy"`
	// lastOperation is what was last done on the cluster.
	// +optional
	LastOperation *Operation `json:"lastOperation,omitempty" protobuf:"bytes,9,opt,name=lastOperation"`
	// failures counts the installs or upgrades that failed in a row, since what
	// is to be installed last changed or a reconcile was asked for.
	// +optional
	Failures int32 `json:"failures,omitempty" protobuf:"varint,10,opt,name=failures"`
	// nextRetryTime is when a failed install or upgrade is tried again.
	// +optional
	NextRetryTime *metav1.Time `json:"nextRetryTime,omitempty" protobuf:"bytes,11,opt,name=nextRetryTime"`
	// lastReconcileRequest is the spec.reconcileRequest last acted upon.
	// +optional
	LastReconcileRequest string `json:"lastReconcileRequest,omitempty" protobuf:"bytes,12,opt,name=lastReconcileRequest"`
	// attemptedDigest is the digest of what was last tried to install, and how:
	// failures and retries are counted for it.
	// +optional
	AttemptedDigest string `json:"attemptedDigest,omitempty" protobuf:"bytes,13,opt,name=attemptedDigest"`
	// retries counts those failures that spend the budget of
	// autoInstall.remediation.retries: the ones that happened on the cluster.
	// +optional
	Retries int32 `json:"retries,omitempty" protobuf:"varint,14,opt,name=retries"`
	// drifted names the objects that are not as they were applied; the first 20.
	// +optional
	// +listType=atomic
	Drifted []DriftedResource `json:"drifted,omitempty" protobuf:"bytes,15,rep,name=drifted"`
	// values are the merged chart values that are installed, as YAML of at most
	// 8 KiB, with every value that came from a Secret replaced.
	// +optional
	Values string `json:"values,omitempty" protobuf:"bytes,16,opt,name=values"`
	// operations are the last 10 operations, the newest first: who asked for
	// what, when, and what became of it.
	// +optional
	// +listType=atomic
	Operations []Operation `json:"operations,omitempty" protobuf:"bytes,17,rep,name=operations"`
	// hold is a rollback that somebody asked for, and that keeps what the spec
	// asks for from being installed again.
	// +optional
	Hold *Hold `json:"hold,omitempty" protobuf:"bytes,18,opt,name=hold"`
	// lastRequest is the id of the spec.operation last acted upon.
	// +optional
	LastRequest string `json:"lastRequest,omitempty" protobuf:"bytes,19,opt,name=lastRequest"`
}

// DriftedResource names an object that is not as it was applied.
type DriftedResource struct {
	// kind is the kind of the object.
	Kind string `json:"kind" protobuf:"bytes,1,opt,name=kind"`
	// namespace is its namespace; empty for a cluster-scoped object.
	// +optional
	Namespace string `json:"namespace,omitempty" protobuf:"bytes,2,opt,name=namespace"`
	// name is its name.
	Name string `json:"name" protobuf:"bytes,3,opt,name=name"`
	// missing is true when it is not there.
	// +optional
	Missing bool `json:"missing,omitempty" protobuf:"varint,4,opt,name=missing"`
	// fields are JSON pointers to what differs; the first 5.
	// +optional
	// +listType=atomic
	Fields []string `json:"fields,omitempty" protobuf:"bytes,5,rep,name=fields"`
}

// ReleaseStatus is one Helm release, or one set of manifests, on the cluster.
type ReleaseStatus struct {
	// name is the name of the release.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// namespace is the namespace of the release on the cluster.
	Namespace string `json:"namespace" protobuf:"bytes,2,opt,name=namespace"`
	// chart is the name of the chart; for manifests, their source.
	// +optional
	Chart string `json:"chart,omitempty" protobuf:"bytes,3,opt,name=chart"`
	// version is the version of the chart.
	// +optional
	Version string `json:"version,omitempty" protobuf:"bytes,4,opt,name=version"`
	// appVersion is the version of what the chart installs.
	// +optional
	AppVersion string `json:"appVersion,omitempty" protobuf:"bytes,5,opt,name=appVersion"`
	// revision counts the installs and upgrades of the release.
	// +optional
	Revision int64 `json:"revision,omitempty" protobuf:"varint,6,opt,name=revision"`
	// digest is that of the chart, its version and its merged values, or of the
	// manifests.
	// +optional
	Digest string `json:"digest,omitempty" protobuf:"bytes,7,opt,name=digest"`
	// adopted is true when the release was there before KSIT: it is then left
	// when the Integration goes.
	// +optional
	Adopted bool `json:"adopted,omitempty" protobuf:"varint,8,opt,name=adopted"`
	// objects counts the objects of the release.
	// +optional
	Objects int32 `json:"objects,omitempty" protobuf:"varint,9,opt,name=objects"`
}

// CheckState is the outcome of a check.
// +enum
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
	// name names the check, such as objects, repo-server or crds.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// state is Passed, Progressing, Failed or Unknown.
	State CheckState `json:"state" protobuf:"bytes,2,opt,name=state,casttype=CheckState"`
	// message says what was found.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
}

// UnhealthyResource names an object on the cluster and what is wrong with it.
type UnhealthyResource struct {
	// kind is the kind of the object.
	Kind string `json:"kind" protobuf:"bytes,1,opt,name=kind"`
	// namespace is its namespace; empty for a cluster-scoped object.
	// +optional
	Namespace string `json:"namespace,omitempty" protobuf:"bytes,2,opt,name=namespace"`
	// name is its name.
	Name string `json:"name" protobuf:"bytes,3,opt,name=name"`
	// state is Progressing, Failed or Unknown.
	State CheckState `json:"state" protobuf:"bytes,4,opt,name=state,casttype=CheckState"`
	// reason is a word for what is wrong, such as NotFound or ImagePullBackOff.
	// +optional
	Reason string `json:"reason,omitempty" protobuf:"bytes,5,opt,name=reason"`
	// message says what is wrong.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,6,opt,name=message"`
}
