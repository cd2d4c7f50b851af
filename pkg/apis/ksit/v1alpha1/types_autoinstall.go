// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/runtime"
)

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
