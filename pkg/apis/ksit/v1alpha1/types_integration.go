// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// +genclient
// +genclient:method=Reconcile,verb=create,subresource=reconcile,input=ReconcileRequest,result=ReconcileRequest
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Integration says what shall run, and on which clusters.
type Integration struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata. The name is a DNS label: it becomes part of the
	// names of Installations.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec is what shall run, and where.
	// +optional
	Spec IntegrationSpec `json:"spec,omitempty" protobuf:"bytes,2,opt,name=spec"`
	// status joins what the Installations of this Integration report. Written
	// by the controller only.
	// +optional
	Status IntegrationStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// IntegrationList is a list of Integrations.
type IntegrationList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	// items is the list of Integrations.
	Items []Integration `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// IntegrationType names what an Integration installs.
// +enum
type IntegrationType string

const (
	// IntegrationTypeArgoCD is Argo CD.
	IntegrationTypeArgoCD IntegrationType = "argocd"
	// IntegrationTypePrometheus is the Prometheus operator with its stack.
	IntegrationTypePrometheus IntegrationType = "prometheus"
	// IntegrationTypeIstio is the Istio control plane: base, then istiod.
	IntegrationTypeIstio IntegrationType = "istio"
	// IntegrationTypeFlux is Flux.
	IntegrationTypeFlux IntegrationType = "flux"
	// IntegrationTypeGeneric is any chart or set of manifests.
	IntegrationTypeGeneric IntegrationType = "generic"
)

// IntegrationSpec says what shall run, and where.
type IntegrationSpec struct {
	// type is what is installed: argocd, prometheus, istio, flux, or generic for
	// any chart or manifests. It chooses the defaults of autoInstall and the
	// checks of health. Immutable.
	Type IntegrationType `json:"type" protobuf:"bytes,1,opt,name=type,casttype=IntegrationType"`
	// enabled is whether KSIT acts: when false it neither installs nor probes,
	// what is installed stays, and the phase is Disabled. Default true.
	// +optional
	Enabled *bool `json:"enabled,omitempty" protobuf:"varint,2,opt,name=enabled"`
	// targetClusters are the names of IntegrationTargets in this namespace, or
	// `namespace/name` of one in another namespace whose spec.tenancy admits this
	// one; at most 1000. Whoever names a target needs the verb `use` on it. A
	// target named twice is refused. Either targetClusters or targetSelector must
	// be given. Dropping a name uninstalls from that cluster, as
	// autoInstall.deletionPolicy says.
	// +optional
	// +listType=atomic
	TargetClusters []string `json:"targetClusters,omitempty" protobuf:"bytes,3,rep,name=targetClusters"`
	// targetSelector selects IntegrationTargets of this namespace by label, in
	// addition to targetClusters. A target that stops matching is uninstalled
	// from, as autoInstall.deletionPolicy says; an empty selector is refused.
	// +optional
	TargetSelector *metav1.LabelSelector `json:"targetSelector,omitempty" protobuf:"bytes,4,opt,name=targetSelector"`
	// autoInstall says how it is installed. Absent, or with enabled false, KSIT
	// only probes what somebody else installed.
	// +optional
	AutoInstall *AutoInstall `json:"autoInstall,omitempty" protobuf:"bytes,5,opt,name=autoInstall"`
	// config holds settings by key; at least `namespace`, the namespace on the
	// cluster that is installed into and probed, is known for every type. It
	// defaults to argocd, monitoring, istio-system or flux-system, by type; for
	// generic to the name of the Integration. Unknown keys get a warning.
	// +optional
	Config map[string]string `json:"config,omitempty" protobuf:"bytes,6,rep,name=config"`
	// dependsOn names Integrations of this namespace that must be Running on a
	// cluster before this one is installed or upgraded there, at most 16. One
	// that is not on the cluster is waited for. Cycles are refused.
	// +optional
	// +listType=map
	// +listMapKey=name
	DependsOn []IntegrationDependency `json:"dependsOn,omitempty" protobuf:"bytes,7,rep,name=dependsOn"`
	// rollout says on how many clusters at once a change is carried out, in
	// which order, and when to stop. Absent, all clusters are changed at once.
	// +optional
	Rollout *Rollout `json:"rollout,omitempty" protobuf:"bytes,8,opt,name=rollout"`
}

// IntegrationDependency names an Integration that comes first.
type IntegrationDependency struct {
	// name is the name of an Integration in the same namespace.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
}

// Rollout says how a change reaches the clusters of an Integration. What it
// holds back is what would be installed: chart, version, values, manifests and
// config. Everything else, such as deletionPolicy, counts everywhere at once.
type Rollout struct {
	// maxConcurrent is on how many clusters at once a change may be under way:
	// a number, or a percentage of the clusters, rounded up. Default: all.
	// +optional
	MaxConcurrent *intstr.IntOrString `json:"maxConcurrent,omitempty" protobuf:"bytes,1,opt,name=maxConcurrent"`
	// stopAfterFailures is after how many clusters on which the change failed no
	// further one is begun: a number of at least 1, or a percentage of the
	// clusters, rounded up. Default 1. A new spec, or the annotation
	// `reconcile`, begins anew.
	// +optional
	StopAfterFailures *intstr.IntOrString `json:"stopAfterFailures,omitempty" protobuf:"bytes,2,opt,name=stopAfterFailures"`
	// paused begins no change on any further cluster while it is true. What is
	// under way goes on.
	// +optional
	Paused bool `json:"paused,omitempty" protobuf:"varint,3,opt,name=paused"`
	// partitions are taken one after the other, at most 20: the next begins when
	// every cluster of the one before it that can be reached runs the change,
	// and its soak time is over. A cluster belongs to the first partition that
	// selects it; those that none selects come last.
	// +optional
	// +listType=map
	// +listMapKey=name
	Partitions []RolloutPartition `json:"partitions,omitempty" protobuf:"bytes,4,rep,name=partitions"`
}

// RolloutPartition is a group of clusters that get a change together.
type RolloutPartition struct {
	// name is what messages call it; a DNS label.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// targetSelector selects IntegrationTargets by label. An empty one is refused.
	TargetSelector *metav1.LabelSelector `json:"targetSelector" protobuf:"bytes,2,opt,name=targetSelector"`
	// soakSeconds is how long all of its clusters must run the change, in
	// seconds, before the next partition begins. Default 0; at most 604800.
	// +optional
	SoakSeconds *int32 `json:"soakSeconds,omitempty" protobuf:"varint,3,opt,name=soakSeconds"`
}

// Phase sums up where an Integration or Installation is.
// +enum
type Phase string

const (
	// PhasePending means that nothing was done yet: the target is missing or
	// not ready, or the work waits for its turn.
	PhasePending Phase = "Pending"
	// PhaseInstalling means that the first install goes on.
	PhaseInstalling Phase = "Installing"
	// PhaseUpgrading means that a change of what is installed goes on.
	PhaseUpgrading Phase = "Upgrading"
	// PhaseRunning means that all is installed and healthy.
	PhaseRunning Phase = "Running"
	// PhaseDegraded means that it was Running, and that probes now fail past
	// their threshold.
	PhaseDegraded Phase = "Degraded"
	// PhaseFailed means that the install failed; what was done and when it is
	// tried again is in the message and in nextRetryTime.
	PhaseFailed Phase = "Failed"
	// PhaseUninstalling means that it is being removed.
	PhaseUninstalling Phase = "Uninstalling"
	// PhaseDisabled means that spec.enabled is false.
	PhaseDisabled Phase = "Disabled"
	// PhaseUnknown means that the target cannot be reached. The rest of the
	// status is what was last true.
	PhaseUnknown Phase = "Unknown"
)

// IntegrationStatus joins what the Installations of an Integration report.
type IntegrationStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty" protobuf:"varint,1,opt,name=observedGeneration"`
	// phase is the worst of the phases of the Installations, in this order, the
	// worst first: Failed, Degraded, Unknown, Uninstalling, Installing,
	// Upgrading, Pending, Disabled, Running.
	// +optional
	Phase Phase `json:"phase,omitempty" protobuf:"bytes,2,opt,name=phase,casttype=Phase"`
	// message says which cluster and resource the phase is due to, and what to
	// do.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
	// conditions are Ready (every Installation is Running), Progressing (work
	// goes on), Stalled (KSIT cannot go on without somebody's help) and
	// TargetsAllowed, which is there, and not true, while a target may not be used
	// by whoever asked for it.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,4,rep,name=conditions"`
	// targets counts the clusters that are named or selected.
	// +optional
	Targets int32 `json:"targets,omitempty" protobuf:"varint,5,opt,name=targets"`
	// installed counts the clusters on which the present spec is installed.
	// +optional
	Installed int32 `json:"installed,omitempty" protobuf:"varint,6,opt,name=installed"`
	// healthy counts the clusters on which the phase is Running.
	// +optional
	Healthy int32 `json:"healthy,omitempty" protobuf:"varint,7,opt,name=healthy"`
	// failed counts the clusters on which the phase is Failed or Degraded.
	// +optional
	Failed int32 `json:"failed,omitempty" protobuf:"varint,8,opt,name=failed"`
	// chart names the chart that is installed, or the manifests.
	// +optional
	Chart string `json:"chart,omitempty" protobuf:"bytes,9,opt,name=chart"`
	// version is the version of the chart that is installed; where clusters
	// differ, all of them, separated by commas, five at most.
	// +optional
	Version string `json:"version,omitempty" protobuf:"bytes,10,opt,name=version"`
	// targetSummaries has a line for each of the first 20 clusters, the worst
	// first. The Installations hold the whole truth.
	// +optional
	// +listType=map
	// +listMapKey=target
	TargetSummaries []TargetSummary `json:"targetSummaries,omitempty" protobuf:"bytes,11,rep,name=targetSummaries"`
	// lastReconcileRequest is the value of the annotation `reconcile` that was
	// last acted upon.
	// +optional
	LastReconcileRequest string `json:"lastReconcileRequest,omitempty" protobuf:"bytes,12,opt,name=lastReconcileRequest"`
	// updated counts the clusters that have, or are getting, the present spec:
	// the others wait for their turn in the rollout.
	// +optional
	Updated int32 `json:"updated,omitempty" protobuf:"varint,13,opt,name=updated"`
	// resolvedChart is what the version of helmConfig stands for. A range is
	// resolved once and then kept until repository, chart or version change.
	// +optional
	ResolvedChart *ResolvedChart `json:"resolvedChart,omitempty" protobuf:"bytes,14,opt,name=resolvedChart"`
	// targetsRequestedBy is who created the Integration or last changed its
	// targets. Its right to use a target is looked at again when the selector
	// comes to match one. The API server writes it; nobody else can.
	// +optional
	TargetsRequestedBy *Requester `json:"targetsRequestedBy,omitempty" protobuf:"bytes,15,opt,name=targetsRequestedBy"`
}

// Requester is who asked for something, as the host cluster knows them.
type Requester struct {
	// username is the name of the user.
	Username string `json:"username" protobuf:"bytes,1,opt,name=username"`
	// uid tells users of the same name apart.
	// +optional
	UID string `json:"uid,omitempty" protobuf:"bytes,2,opt,name=uid"`
	// groups are those of the user at the time.
	// +optional
	// +listType=atomic
	Groups []string `json:"groups,omitempty" protobuf:"bytes,3,rep,name=groups"`
}

// ResolvedChart is what a version stands for.
type ResolvedChart struct {
	// repository, chart and range are those of the helmConfig that was resolved.
	// +optional
	Repository string `json:"repository,omitempty" protobuf:"bytes,1,opt,name=repository"`
	// chart is the name of the chart.
	// +optional
	Chart string `json:"chart,omitempty" protobuf:"bytes,2,opt,name=chart"`
	// range is the version as the spec has it.
	// +optional
	Range string `json:"range,omitempty" protobuf:"bytes,3,opt,name=range"`
	// version is what is installed for it.
	// +optional
	Version string `json:"version,omitempty" protobuf:"bytes,4,opt,name=version"`
	// newer is the newest version in the repository that the range admits, where
	// that is newer than version; it is not installed until the spec asks for it.
	// +optional
	Newer string `json:"newer,omitempty" protobuf:"bytes,5,opt,name=newer"`
	// newest is the newest version in the repository that is no pre-release,
	// where that is newer than version.
	// +optional
	Newest string `json:"newest,omitempty" protobuf:"bytes,6,opt,name=newest"`
	// checkedAt is when the repository was last asked.
	// +optional
	CheckedAt *metav1.Time `json:"checkedAt,omitempty" protobuf:"bytes,7,opt,name=checkedAt"`
}

// TargetSummary is one line about an Integration on one cluster.
type TargetSummary struct {
	// target names the IntegrationTarget.
	Target string `json:"target" protobuf:"bytes,1,opt,name=target"`
	// phase is that of the Installation.
	Phase Phase `json:"phase" protobuf:"bytes,2,opt,name=phase,casttype=Phase"`
	// version is the version of the chart that is installed.
	// +optional
	Version string `json:"version,omitempty" protobuf:"bytes,3,opt,name=version"`
	// message is that of the Installation, shortened.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,4,opt,name=message"`
}
