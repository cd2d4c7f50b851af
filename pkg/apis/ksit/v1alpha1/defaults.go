// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Defaults of fields; in seconds where they are times.
const (
	DefaultProbeIntervalSeconds  = 30
	DefaultProbeTimeoutSeconds   = 10
	DefaultProbeFailureThreshold = 3
	DefaultInstallTimeoutSeconds = 600
	// DefaultRetries is how often a failed install or upgrade is tried again.
	DefaultRetries = 5
	// DefaultValuesKey is the key of a ConfigMap or Secret that holds values.
	DefaultValuesKey = "values.yaml"
)

func addDefaultingFuncs(scheme *runtime.Scheme) error {
	return RegisterDefaults(scheme)
}

// SetDefaults_IntegrationTarget names the cluster after the object. An object
// made with generateName gets its cluster name when its name is known, in the
// strategy.
func SetDefaults_IntegrationTarget(obj *IntegrationTarget) {
	if obj.Spec.ClusterName == "" {
		obj.Spec.ClusterName = obj.Name
	}
}

// SetDefaults_TargetProbe fills in the times of a probe.
func SetDefaults_TargetProbe(obj *TargetProbe) {
	setDefault(&obj.IntervalSeconds, DefaultProbeIntervalSeconds)
	if obj.TimeoutSeconds == nil {
		// A short interval brings a short timeout: a probe never outlasts it.
		setDefault(&obj.TimeoutSeconds, min(DefaultProbeTimeoutSeconds, *obj.IntervalSeconds))
	}
	setDefault(&obj.FailureThreshold, DefaultProbeFailureThreshold)
}

// SetDefaults_IntegrationSpec enables an Integration that does not say.
func SetDefaults_IntegrationSpec(obj *IntegrationSpec) {
	setDefault(&obj.Enabled, true)
}

// SetDefaults_AutoInstall fills in the method, the policies and the timeout.
// What differs by type is filled in when the object is created, in the
// strategy: a default in here would also change what is stored already.
func SetDefaults_AutoInstall(obj *AutoInstall) {
	if obj.Method == "" {
		obj.Method = InstallMethodHelm
	}
	setDefault(&obj.TimeoutSeconds, DefaultInstallTimeoutSeconds)
	if obj.CRDPolicy == "" {
		obj.CRDPolicy = CRDPolicyCreateReplace
	}
	if obj.DeletionPolicy == "" {
		obj.DeletionPolicy = DeletionPolicyDelete
	}
	if obj.AdoptionPolicy == "" {
		obj.AdoptionPolicy = AdoptionPolicyAdopt
	}
	// Both are made where they are missing, so that everybody sees what counts.
	if obj.Remediation == nil {
		obj.Remediation = &Remediation{}
	}
	if obj.Drift == nil {
		obj.Drift = &Drift{}
	}
}

// SetDefaults_Remediation fills in the number of retries and the strategy.
func SetDefaults_Remediation(obj *Remediation) {
	setDefault(&obj.Retries, DefaultRetries)
	if obj.Strategy == "" {
		obj.Strategy = RemediationRollback
	}
}

// SetDefaults_Drift fills in the mode.
func SetDefaults_Drift(obj *Drift) {
	if obj.Mode == "" {
		obj.Mode = DriftWarn
	}
}

// SetDefaults_ValuesSource fills in the key.
func SetDefaults_ValuesSource(obj *ValuesSource) {
	if obj.Key == "" {
		obj.Key = DefaultValuesKey
	}
}

// SetDefaults_Rollout fills in when a rollout stops.
func SetDefaults_Rollout(obj *Rollout) {
	setDefault(&obj.StopAfterFailures, intstr.FromInt32(1))
}

func setDefault[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}
