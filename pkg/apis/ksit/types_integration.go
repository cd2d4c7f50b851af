// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package ksit

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
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
}

// HelmConfig names a Helm chart and its values.
type HelmConfig struct {
	Repository   string
	Chart        string
	Version      string
	ReleaseName  string
	Values       map[string]string
	ValuesObject *runtime.RawExtension
}

// ManifestConfig names the manifests that are applied. Exactly one of url,
// configMapRef and manifests is given; for type flux url has a default.
type ManifestConfig struct {
	URL          string
	Digest       string
	ConfigMapRef *ConfigMapReference
	Manifests    string
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
}

// TargetSummary is one line about an Integration on one cluster.
type TargetSummary struct {
	Target  string
	Phase   Phase
	Version string
	Message string
}
