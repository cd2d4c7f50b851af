// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types. Which kind carries which is said at its status.
const (
	ConditionReady            = "Ready"
	ConditionCredentialsValid = "CredentialsValid"
	ConditionReachable        = "Reachable"
	ConditionAuthorized       = "Authorized"
	ConditionProgressing      = "Progressing"
	ConditionStalled          = "Stalled"
	ConditionInstalled        = "Installed"
	ConditionHealthy          = "Healthy"
	ConditionDrifted          = "Drifted"
	ConditionRemediated       = "Remediated"
	// ConditionTargetsAllowed, on an Integration, is there while a target that it
	// names or selects may not be used.
	ConditionTargetsAllowed = "TargetsAllowed"
)

// Labels, annotations and finalizers that KSIT sets or reads.
const (
	// LabelIntegration, on an Installation, is the name of its Integration. On
	// an object of a target cluster it names the Integration it is there for.
	LabelIntegration = "ksit.io/integration"
	// LabelTarget, on an Installation, is the name of its target.
	LabelTarget = "ksit.io/target"
	// LabelTargetNamespace, on an Installation, is the namespace of its target,
	// where that is another one.
	LabelTargetNamespace = "ksit.io/target-namespace"
	// LabelType, on an Installation, is the type of its Integration.
	LabelType = "ksit.io/type"
	// LabelNamespace, on an object of a target cluster, is the namespace of the
	// Integration it is there for.
	LabelNamespace = "ksit.io/namespace"
	// AnnotationReconcile, on an Integration, asks for work to be done at once
	// whenever it gets a value that it did not have.
	AnnotationReconcile = "reconcile"
	// AnnotationReconcileRequestedBy, on an Integration or IntegrationTarget, is
	// who last changed AnnotationReconcile. The API server writes it.
	AnnotationReconcileRequestedBy = "ksit.io/reconcile-requested-by"
	// AnnotationTraceParent, on an Integration or Installation, names the trace of
	// the request that asked for what it asks for, as the header traceparent of W3C
	// does. It is there where that request was sampled. The API server and the
	// controllers write it; it is no part of what is asked for.
	AnnotationTraceParent = "ksit.io/traceparent"
	// FinalizerInstallations keeps an Integration until its Installations are
	// gone.
	FinalizerInstallations = "ksit.io/installations"
	// FinalizerUninstall keeps an Installation until it is uninstalled.
	FinalizerUninstall = "ksit.io/uninstall"
	// FinalizerInUse keeps an IntegrationTarget while Installations need it.
	FinalizerInUse = "ksit.io/in-use"
)

// Bounds that the API and the controllers share.
const (
	// MaxTargetClusters is how many names spec.targetClusters may hold.
	MaxTargetClusters = 1000
	// MaxDrifted and MaxDriftedFields bound status.drifted of an Installation.
	MaxDrifted       = 20
	MaxDriftedFields = 5
	// MaxStatusValues bounds status.values of an Installation, in bytes.
	MaxStatusValues = 8 << 10
	// MaxOperations bounds status.operations of an Installation.
	MaxOperations = 10
	// MaxLogLines, MaxLogBytes and MaxLogLine bound the log of an Installation.
	MaxLogLines = 500
	MaxLogBytes = 128 << 10
	MaxLogLine  = 1 << 10
	// MaxRevisions bounds the revisions in a history.
	MaxRevisions = 50
	// MaxManifest bounds the manifest of a release, and what a diff has of
	// objects, in bytes.
	MaxManifest = 4 << 20
	// MaxDiffObjects and MaxDiffNotes bound a diff.
	MaxDiffObjects = 1000
	MaxDiffNotes   = 20
	// MaxAllowedNamespaces, MaxTenantIdentities and MaxTenantGroups bound
	// spec.tenancy of an IntegrationTarget.
	MaxAllowedNamespaces = 256
	MaxTenantIdentities  = 256
	MaxTenantGroups      = 16
	// PlaceholderNamespace stands for the namespace of an Integration in
	// spec.tenancy.impersonate.
	PlaceholderNamespace = "{namespace}"
	// MaxRequesterText and MaxRequesterGroups bound status.targetsRequestedBy of
	// an Integration, in bytes and groups.
	MaxRequesterText   = 1 << 10
	MaxRequesterGroups = 128
	// AnyNamespace stands for every namespace in spec.tenancy.
	AnyNamespace = "*"
	// MaxWaitsFor bounds spec.waitsFor of an Installation, in bytes.
	MaxWaitsFor = 512
)
