// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package ksit

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Integration says what shall run, and on which clusters.
type Integration struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Spec   IntegrationSpec
	Status IntegrationStatus
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// IntegrationList is a list of Integrations.
type IntegrationList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []Integration
}

// IntegrationType names what an Integration installs.
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
	Type           IntegrationType
	Enabled        *bool
	TargetClusters []string
	TargetSelector *metav1.LabelSelector
	AutoInstall    *AutoInstall
	Config         map[string]string
	DependsOn      []IntegrationDependency
	Rollout        *Rollout
}

// InstallMethod names how something is installed.
type InstallMethod string

const (
	// InstallMethodHelm installs Helm charts as plain Helm releases.
	InstallMethodHelm InstallMethod = "helm"
	// InstallMethodManifest applies manifests by server-side apply.
	InstallMethodManifest InstallMethod = "manifest"
)

// CRDPolicy says what is done with the CustomResourceDefinitions of a chart's
// crds/ directory.
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
	Enabled        bool
	Method         InstallMethod
	HelmConfig     *HelmConfig
	ManifestConfig *ManifestConfig
	TimeoutSeconds *int32
	CRDPolicy      CRDPolicy
	DeletionPolicy DeletionPolicy
	Remediation    *Remediation
	Drift          *Drift
	AdoptionPolicy AdoptionPolicy
}

// HelmConfig names a Helm chart and its values.
type HelmConfig struct {
	Repository     string
	Chart          string
	Version        string
	ReleaseName    string
	Values         map[string]string
	ValuesObject   *runtime.RawExtension
	ValuesFrom     []ValuesSource
	TemplateValues bool
	SecretRef      *LocalReference
	CASecretRef    *LocalReference
	Verify         *ChartVerification
}

// ManifestConfig names the manifests that are applied. Exactly one of url,
// configMapRef and manifests is given; for type flux url has a default.
type ManifestConfig struct {
	URL          string
	Digest       string
	ConfigMapRef *ConfigMapReference
	Manifests    string
	SecretRef    *LocalReference
	CASecretRef  *LocalReference
}

// ConfigMapReference names a ConfigMap in the namespace of the object that
// holds the reference.
type ConfigMapReference struct {
	Name string
	Key  string
}

// Phase sums up where an Integration or Installation is.
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
	ObservedGeneration   int64
	Phase                Phase
	Message              string
	Conditions           []metav1.Condition
	Targets              int32
	Installed            int32
	Healthy              int32
	Failed               int32
	Chart                string
	Version              string
	TargetSummaries      []TargetSummary
	LastReconcileRequest string
	Updated              int32
	ResolvedChart        *ResolvedChart
	TargetsRequestedBy   *Requester
}

// Requester is who asked for something, as the host cluster knows them.
type Requester struct {
	Username string
	UID      string
	Groups   []string
}

// TargetSummary is one line about an Integration on one cluster.
type TargetSummary struct {
	Target  string
	Phase   Phase
	Version string
	Message string
}

// IntegrationDependency names an Integration that comes first.
type IntegrationDependency struct {
	Name string
}

// Rollout says how a change reaches the clusters of an Integration. What it
// holds back is what would be installed: chart, version, values, manifests and
// config. Everything else, such as deletionPolicy, counts everywhere at once.
type Rollout struct {
	MaxConcurrent     *intstr.IntOrString
	StopAfterFailures *intstr.IntOrString
	Paused            bool
	Partitions        []RolloutPartition
}

// RolloutPartition is a group of clusters that get a change together.
type RolloutPartition struct {
	Name           string
	TargetSelector *metav1.LabelSelector
	SoakSeconds    *int32
}

// AdoptionPolicy says what is done about what is there already.
type AdoptionPolicy string

const (
	// AdoptionPolicyAdopt takes over what belongs to no other Integration.
	AdoptionPolicyAdopt AdoptionPolicy = "Adopt"
	// AdoptionPolicyRefuse fails with the reason ReleaseConflict.
	AdoptionPolicyRefuse AdoptionPolicy = "Refuse"
)

// RemediationStrategy says what is done when the retries are spent.
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
	Retries  *int32
	Strategy RemediationStrategy
}

// DriftMode says what is done about drift.
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
	Mode   DriftMode
	Ignore []DriftIgnore
}

// DriftIgnore is a rule for what is no drift. A field that is empty matches
// everything.
type DriftIgnore struct {
	Group     string
	Kind      string
	Namespace string
	Name      string
	Paths     []string
}

// SourceKind is the kind of an object that values are taken from.
type SourceKind string

const (
	// SourceConfigMap is a ConfigMap.
	SourceConfigMap SourceKind = "ConfigMap"
	// SourceSecret is a Secret. Its keys may be shown, its values nowhere.
	SourceSecret SourceKind = "Secret"
)

// ValuesSource names a key of a ConfigMap or Secret that holds chart values.
type ValuesSource struct {
	Kind       SourceKind
	Name       string
	Key        string
	TargetPath string
	Optional   bool
}

// LocalReference names an object in the namespace of the object that holds the
// reference, on the cluster that KSIT runs in.
type LocalReference struct {
	Name string
}

// VerificationProvider names a way to sign charts.
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
	Provider  VerificationProvider
	SecretRef LocalReference
}

// ResolvedChart is what a version stands for.
type ResolvedChart struct {
	Repository string
	Chart      string
	Range      string
	Version    string
	Newer      string
	Newest     string
	CheckedAt  *metav1.Time
}
