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
)

// Labels, annotations and finalizers that KSIT sets or reads.
const (
	// LabelIntegration, on an Installation, is the name of its Integration. On
	// an object of a target cluster it names the Integration it is there for.
	LabelIntegration = "ksit.io/integration"
	// LabelTarget, on an Installation, is the name of its target.
	LabelTarget = "ksit.io/target"
	// LabelType, on an Installation, is the type of its Integration.
	LabelType = "ksit.io/type"
	// LabelNamespace, on an object of a target cluster, is the namespace of the
	// Integration it is there for.
	LabelNamespace = "ksit.io/namespace"
	// AnnotationReconcile, on an Integration, asks for work to be done at once
	// whenever it gets a value that it did not have.
	AnnotationReconcile = "reconcile"
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
	// MaxWaitsFor bounds spec.waitsFor of an Installation, in bytes.
	MaxWaitsFor = 512
)
