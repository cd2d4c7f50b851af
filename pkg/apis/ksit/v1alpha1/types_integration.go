// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// +genclient
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
	// targetClusters are the names of IntegrationTargets in this namespace, at
	// most 1000. A target named twice is refused. Either targetClusters or
	// targetSelector must be given. Dropping a name uninstalls from that
	// cluster, as autoInstall.deletionPolicy says.
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
}

// InstallMethod names how something is installed.
// +enum
type InstallMethod string

const (
	// InstallMethodHelm installs Helm charts as plain Helm releases.
	InstallMethodHelm InstallMethod = "helm"
	// InstallMethodManifest applies manifests by server-side apply.
	InstallMethodManifest InstallMethod = "manifest"
)

// CRDPolicy says what is done with the CustomResourceDefinitions of a chart's
// crds/ directory.
// +enum
type CRDPolicy string

const (
	// CRDPolicyCreate creates missing CRDs and leaves existing ones alone.
	CRDPolicyCreate CRDPolicy = "Create"
	// CRDPolicyCreateReplace creates missing CRDs and updates existing ones.
	CRDPolicyCreateReplace CRDPolicy = "CreateReplace"
	// CRDPolicySkip applies no CRDs of the crds/ directory.
	CRDPolicySkip CRDPolicy = "Skip"
)

// DeletionPolicy says what becomes of what is installed when its Integration
// is deleted, or the target dropped from it.
// +enum
type DeletionPolicy string

const (
	// DeletionPolicyDelete uninstalls what KSIT installed.
	DeletionPolicyDelete DeletionPolicy = "Delete"
	// DeletionPolicyOrphan leaves everything on the cluster as it is.
	DeletionPolicyOrphan DeletionPolicy = "Orphan"
)

// AutoInstall says how an Integration is installed.
type AutoInstall struct {
	// enabled is whether KSIT installs. When false it only probes what somebody
	// else installed; what KSIT installed before stays.
	// +optional
	Enabled bool `json:"enabled,omitempty" protobuf:"varint,1,opt,name=enabled"`
	// method is helm (default) or manifest.
	// +optional
	Method InstallMethod `json:"method,omitempty" protobuf:"bytes,2,opt,name=method,casttype=InstallMethod"`
	// helmConfig says which chart is installed by the method helm. For the types
	// other than generic every field has a default, which is written into the
	// object when it is created, so that a later KSIT with newer defaults does
	// not upgrade what runs.
	// +optional
	HelmConfig *HelmConfig `json:"helmConfig,omitempty" protobuf:"bytes,3,opt,name=helmConfig"`
	// manifestConfig says which manifests are applied by the method manifest.
	// +optional
	ManifestConfig *ManifestConfig `json:"manifestConfig,omitempty" protobuf:"bytes,4,opt,name=manifestConfig"`
	// timeoutSeconds bounds one install or upgrade, the wait for its objects to
	// become ready included, in seconds. Default 600; from 10 to 7200.
	// +optional
	TimeoutSeconds *int32 `json:"timeoutSeconds,omitempty" protobuf:"varint,5,opt,name=timeoutSeconds"`
	// crdPolicy is what is done with the CRDs of a chart's crds/ directory, on
	// install and on upgrade: CreateReplace (default), Create or Skip. They are
	// established and served before anything that needs them, and are never
	// deleted by KSIT.
	// +optional
	CRDPolicy CRDPolicy `json:"crdPolicy,omitempty" protobuf:"bytes,6,opt,name=crdPolicy,casttype=CRDPolicy"`
	// deletionPolicy is what becomes of what KSIT installed when the Integration
	// is deleted or a target dropped: Delete (default) uninstalls it, Orphan
	// leaves it. What KSIT adopted, rather than installed, is always left.
	// Setting Orphan is also the way out when a cluster is gone for good.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty" protobuf:"bytes,7,opt,name=deletionPolicy,casttype=DeletionPolicy"`
}

// HelmConfig names a Helm chart and its values.
type HelmConfig struct {
	// repository is the URL of the chart repository: http, https, or oci (then
	// the chart is found at repository/chart).
	// +optional
	Repository string `json:"repository,omitempty" protobuf:"bytes,1,opt,name=repository"`
	// chart is the name of the chart in the repository. For type istio the chart
	// istiod brings the chart base, of the same version, before itself.
	// +optional
	Chart string `json:"chart,omitempty" protobuf:"bytes,2,opt,name=chart"`
	// version is the version of the chart: exact, such as 5.51.6, or a range,
	// such as ~5.51, whose newest match is taken when it is installed and kept
	// until the spec changes.
	// +optional
	Version string `json:"version,omitempty" protobuf:"bytes,3,opt,name=version"`
	// releaseName is the name of the Helm release, at most 53 characters.
	// Defaults by type; for generic to the name of the Integration.
	// +optional
	ReleaseName string `json:"releaseName,omitempty" protobuf:"bytes,4,opt,name=releaseName"`
	// values are chart values. Each entry means what `helm --set key=value`
	// means, with commas taken literally: dots in the key nest, `\.` is a dot,
	// `a[0]` an element of a list, and the values true, false, null and whole
	// numbers are typed; 30d is a string.
	// +optional
	Values map[string]string `json:"values,omitempty" protobuf:"bytes,5,rep,name=values"`
	// valuesObject holds chart values in their nested form, as in a values.yaml.
	// An entry of values overrides what stands at its place here.
	// +optional
	// +k8s:openapi-gen=x-kubernetes-preserve-unknown-fields:true
	ValuesObject *runtime.RawExtension `json:"valuesObject,omitempty" protobuf:"bytes,6,opt,name=valuesObject"`
}

// ManifestConfig names the manifests that are applied. Exactly one of url,
// configMapRef and manifests is given; for type flux url has a default.
type ManifestConfig struct {
	// url is where the manifests, one YAML or JSON stream of at most 10 MiB, are
	// fetched from: http or https.
	// +optional
	URL string `json:"url,omitempty" protobuf:"bytes,1,opt,name=url"`
	// digest is what the content of url must have: sha256: and 64 hexadecimal
	// digits. Content with another digest is not applied.
	// +optional
	Digest string `json:"digest,omitempty" protobuf:"bytes,2,opt,name=digest"`
	// configMapRef names a ConfigMap of this namespace, on the cluster that KSIT
	// runs in, that holds the manifests.
	// +optional
	ConfigMapRef *ConfigMapReference `json:"configMapRef,omitempty" protobuf:"bytes,3,opt,name=configMapRef"`
	// manifests is the YAML stream itself, at most 256 KiB.
	// +optional
	Manifests string `json:"manifests,omitempty" protobuf:"bytes,4,opt,name=manifests"`
}

// ConfigMapReference names a ConfigMap in the namespace of the object that
// holds the reference.
type ConfigMapReference struct {
	// name is the name of the ConfigMap.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// key is the key whose value is taken. When empty, the values of all keys
	// are taken in the order of their keys.
	// +optional
	Key string `json:"key,omitempty" protobuf:"bytes,2,opt,name=key"`
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
	// goes on) and Stalled (KSIT cannot go on without somebody's help).
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
