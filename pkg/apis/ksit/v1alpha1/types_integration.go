// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
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
	// DeletionPolicyDeleteAdopted uninstalls also what was there before KSIT.
	DeletionPolicyDeleteAdopted DeletionPolicy = "DeleteAdopted"
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
	// is deleted or a target dropped: Delete (default) uninstalls it, except what
	// KSIT adopted rather than installed; DeleteAdopted uninstalls that as well;
	// Orphan leaves everything. Setting Orphan is also the way out when a cluster
	// is gone for good.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty" protobuf:"bytes,7,opt,name=deletionPolicy,casttype=DeletionPolicy"`
	// remediation says how often a failed install or upgrade is tried again, and
	// what is done when that does not help.
	// +optional
	Remediation *Remediation `json:"remediation,omitempty" protobuf:"bytes,8,opt,name=remediation"`
	// drift says what is done about objects that somebody else changed or
	// removed.
	// +optional
	Drift *Drift `json:"drift,omitempty" protobuf:"bytes,9,opt,name=drift"`
	// adoptionPolicy is what is done about a release of the same name and chart,
	// or objects of the same names, that are there already and belong to no
	// other Integration: Adopt (default) takes them over, Refuse fails.
	// +optional
	AdoptionPolicy AdoptionPolicy `json:"adoptionPolicy,omitempty" protobuf:"bytes,10,opt,name=adoptionPolicy,casttype=AdoptionPolicy"`
}

// AdoptionPolicy says what is done about what is there already.
// +enum
type AdoptionPolicy string

const (
	// AdoptionPolicyAdopt takes over what belongs to no other Integration.
	AdoptionPolicyAdopt AdoptionPolicy = "Adopt"
	// AdoptionPolicyRefuse fails with the reason ReleaseConflict.
	AdoptionPolicyRefuse AdoptionPolicy = "Refuse"
)

// RemediationStrategy says what is done when the retries are spent.
// +enum
type RemediationStrategy string

const (
	// RemediationRollback brings back the last revision that went through. There
	// is none after a first install: that is then left as it is.
	RemediationRollback RemediationStrategy = "Rollback"
	// RemediationLeave leaves everything as the last attempt left it.
	RemediationLeave RemediationStrategy = "Leave"
)

// Remediation says what is done about an install or upgrade that fails. When
// the retries are spent and the strategy was carried out, the Installation is
// Stalled until the spec, the chart or its values change, or the annotation
// `reconcile` gets a new value.
type Remediation struct {
	// retries is how often an install or upgrade that failed on the cluster is
	// tried again, with growing intervals of 5 seconds to 10 minutes. Default 5;
	// from 0 to 50. What failed before anything was sent to the cluster, because
	// a repository did not answer for example, is tried on and not counted.
	// +optional
	Retries *int32 `json:"retries,omitempty" protobuf:"varint,1,opt,name=retries"`
	// strategy is what is done when the retries of an upgrade are spent:
	// Rollback (default) or Leave. A first install is always left.
	// +optional
	Strategy RemediationStrategy `json:"strategy,omitempty" protobuf:"bytes,2,opt,name=strategy,casttype=RemediationStrategy"`
}

// DriftMode says what is done about drift.
// +enum
type DriftMode string

const (
	// DriftDisabled does not look for drift.
	DriftDisabled DriftMode = "Disabled"
	// DriftWarn reports drift.
	DriftWarn DriftMode = "Warn"
	// DriftCorrect reports drift and undoes it.
	DriftCorrect DriftMode = "Correct"
)

// Drift says what is done about objects of a release that are no longer as
// they were applied. What KSIT did not set is no drift: defaults, what a webhook
// or an operator adds, a CA bundle, the replicas that an autoscaler sets.
type Drift struct {
	// mode is Warn (default), Correct or Disabled.
	// +optional
	Mode DriftMode `json:"mode,omitempty" protobuf:"bytes,1,opt,name=mode,casttype=DriftMode"`
	// ignore names what may change, at most 50 rules.
	// +optional
	// +listType=atomic
	Ignore []DriftIgnore `json:"ignore,omitempty" protobuf:"bytes,2,rep,name=ignore"`
}

// DriftIgnore is a rule for what is no drift. A field that is empty matches
// everything.
type DriftIgnore struct {
	// group is the API group of the objects; empty for any, core for the group
	// without a name.
	// +optional
	Group string `json:"group,omitempty" protobuf:"bytes,1,opt,name=group"`
	// kind is the kind of the objects.
	// +optional
	Kind string `json:"kind,omitempty" protobuf:"bytes,2,opt,name=kind"`
	// namespace is the namespace of the objects.
	// +optional
	Namespace string `json:"namespace,omitempty" protobuf:"bytes,3,opt,name=namespace"`
	// name is the name of the objects; a * matches any characters.
	// +optional
	Name string `json:"name,omitempty" protobuf:"bytes,4,opt,name=name"`
	// paths are JSON pointers (RFC 6901), such as /spec/replicas, at most 20: a
	// field at or below one of them may change. Without any, the objects may
	// change as a whole.
	// +optional
	// +listType=atomic
	Paths []string `json:"paths,omitempty" protobuf:"bytes,5,rep,name=paths"`
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
	// valuesFrom takes chart values from ConfigMaps and Secrets of this
	// namespace, on the cluster that KSIT runs in; at most 16, of 1 MiB together.
	// A later one overrides an earlier one, valuesObject and values override all
	// of them. A change of theirs upgrades the release, within half a minute or so.
	// +optional
	// +listType=atomic
	ValuesFrom []ValuesSource `json:"valuesFrom,omitempty" protobuf:"bytes,7,rep,name=valuesFrom"`
	// templateValues has expressions in the values evaluated for every cluster:
	// `${...}` in a string of valuesFrom, valuesObject or values, in the Common
	// Expression Language, over target.name, target.clusterName,
	// target.namespace, target.labels, target.annotations (all those of the
	// IntegrationTarget), integration.name and integration.namespace. A string
	// that is one expression takes the type of its result; `$${` is a literal
	// `${`. Default false.
	// +optional
	TemplateValues bool `json:"templateValues,omitempty" protobuf:"varint,8,opt,name=templateValues"`
	// secretRef names a Secret of this namespace with what the repository asks
	// for: username and password, or token (sent as a bearer token), and tls.crt
	// and tls.key for a client certificate. It is sent to the host of repository
	// only.
	// +optional
	SecretRef *LocalReference `json:"secretRef,omitempty" protobuf:"bytes,9,opt,name=secretRef"`
	// caSecretRef names a Secret of this namespace whose key ca.crt holds the CA
	// certificates, in PEM, by which the repository is verified, in the place of
	// those of the system.
	// +optional
	CASecretRef *LocalReference `json:"caSecretRef,omitempty" protobuf:"bytes,10,opt,name=caSecretRef"`
	// verify has the chart's signature checked before anything is done with it.
	// +optional
	Verify *ChartVerification `json:"verify,omitempty" protobuf:"bytes,11,opt,name=verify"`
}

// SourceKind is the kind of an object that values are taken from.
// +enum
type SourceKind string

const (
	// SourceConfigMap is a ConfigMap.
	SourceConfigMap SourceKind = "ConfigMap"
	// SourceSecret is a Secret. Its keys may be shown, its values nowhere.
	SourceSecret SourceKind = "Secret"
)

// ValuesSource names a key of a ConfigMap or Secret that holds chart values.
type ValuesSource struct {
	// kind is ConfigMap or Secret.
	Kind SourceKind `json:"kind" protobuf:"bytes,1,opt,name=kind,casttype=SourceKind"`
	// name is the name of the object.
	Name string `json:"name" protobuf:"bytes,2,opt,name=name"`
	// key is the key of its data. Default values.yaml.
	// +optional
	Key string `json:"key,omitempty" protobuf:"bytes,3,opt,name=key"`
	// targetPath is where the content goes, in the notation of the keys of
	// values, and it is then taken as one string, as `helm --set-file` takes it.
	// Without it the content is YAML, as in a values.yaml, and merged as a whole.
	// +optional
	TargetPath string `json:"targetPath,omitempty" protobuf:"bytes,4,opt,name=targetPath"`
	// optional has the source passed over while the object or the key is
	// missing. Default false: nothing is installed then.
	// +optional
	Optional bool `json:"optional,omitempty" protobuf:"varint,5,opt,name=optional"`
}

// LocalReference names an object in the namespace of the object that holds the
// reference, on the cluster that KSIT runs in.
type LocalReference struct {
	// name is the name of the object.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
}

// VerificationProvider names a way to sign charts.
// +enum
type VerificationProvider string

const (
	// VerificationProvenance is Helm's: a file beside the archive, named as it is
	// with .prov added, signed with OpenPGP.
	VerificationProvenance VerificationProvider = "provenance"
	// VerificationCosign is a signature by key beside the chart in its registry,
	// as `cosign sign --key` makes it. For repositories of oci:// only.
	VerificationCosign VerificationProvider = "cosign"
)

// ChartVerification says by which keys a chart must be signed. A chart that is
// not is not installed, and the reason is VerificationFailed.
type ChartVerification struct {
	// provider is provenance or cosign.
	Provider VerificationProvider `json:"provider" protobuf:"bytes,1,opt,name=provider,casttype=VerificationProvider"`
	// secretRef names a Secret of this namespace with the public keys, any of
	// which may have signed: for provenance the key rings in the keys that end
	// with .gpg (binary or armored), for cosign those that end with .pub (PEM).
	SecretRef LocalReference `json:"secretRef" protobuf:"bytes,2,opt,name=secretRef"`
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
	// secretRef names a Secret of this namespace with what the server of url
	// asks for: as autoInstall.helmConfig.secretRef.
	// +optional
	SecretRef *LocalReference `json:"secretRef,omitempty" protobuf:"bytes,5,opt,name=secretRef"`
	// caSecretRef names a Secret of this namespace whose key ca.crt holds the CA
	// certificates by which the server of url is verified.
	// +optional
	CASecretRef *LocalReference `json:"caSecretRef,omitempty" protobuf:"bytes,6,opt,name=caSecretRef"`
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
	// updated counts the clusters that have, or are getting, the present spec:
	// the others wait for their turn in the rollout.
	// +optional
	Updated int32 `json:"updated,omitempty" protobuf:"varint,13,opt,name=updated"`
	// resolvedChart is what the version of helmConfig stands for. A range is
	// resolved once and then kept until repository, chart or version change.
	// +optional
	ResolvedChart *ResolvedChart `json:"resolvedChart,omitempty" protobuf:"bytes,14,opt,name=resolvedChart"`
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
