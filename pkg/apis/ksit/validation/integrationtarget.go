// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
)

// Bounds of spec.probe.
const (
	minProbeIntervalSeconds = 5
	maxProbeIntervalSeconds = 3600
	maxProbeTimeoutSeconds  = 300
	maxFailureThreshold     = 100
)

// ValidateIntegrationTarget checks an IntegrationTarget that is to be created.
func ValidateIntegrationTarget(target *ksit.IntegrationTarget) field.ErrorList {
	errs := apivalidation.ValidateObjectMeta(&target.ObjectMeta, true, apivalidation.NameIsDNSLabel, field.NewPath("metadata"))
	return append(errs, validateIntegrationTargetSpec(&target.Spec, field.NewPath("spec"))...)
}

// ValidateIntegrationTargetUpdate checks a change of an IntegrationTarget; see
// ValidateIntegrationUpdate for what is left out.
func ValidateIntegrationTargetUpdate(target, old *ksit.IntegrationTarget) field.ErrorList {
	if apiequality.Semantic.DeepEqual(target.Spec, old.Spec) {
		return nil
	}
	path := field.NewPath("spec")
	errs := validateImmutable(path.Child("clusterName"), target.Spec.ClusterName, old.Spec.ClusterName,
		"make another IntegrationTarget for another cluster")
	return append(errs, validateIntegrationTargetSpec(&target.Spec, path)...)
}

// ValidateIntegrationTargetStatusUpdate checks a change of the status of an
// IntegrationTarget.
func ValidateIntegrationTargetStatusUpdate(target *ksit.IntegrationTarget) field.ErrorList {
	path := field.NewPath("status")
	status := &target.Status
	errs := validateNotNegative(path, count{"observedGeneration", status.ObservedGeneration},
		count{"latencyMilliseconds", status.LatencyMilliseconds}, count{"installations", int64(status.Installations)})
	errs = append(errs, validateConditions(status.Conditions, path.Child("conditions"))...)
	if nodes := status.Nodes; nodes != nil {
		path := path.Child("nodes")
		errs = append(errs, validateNotNegative(path, count{"ready", int64(nodes.Ready)}, count{"total", int64(nodes.Total)})...)
		if nodes.Ready > nodes.Total {
			errs = append(errs, field.Invalid(path.Child("ready"), nodes.Ready, "must not be more than total"))
		}
	}
	return errs
}

func validateIntegrationTargetSpec(spec *ksit.IntegrationTargetSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if spec.ClusterName == "" {
		errs = append(errs, field.Required(path.Child("clusterName"), "the name of the cluster"))
	} else {
		for _, message := range utilvalidation.IsDNS1123Label(spec.ClusterName) {
			errs = append(errs, field.Invalid(path.Child("clusterName"), spec.ClusterName, message))
		}
	}
	if spec.KubeconfigSecret == "" {
		errs = append(errs, field.Required(path.Child("kubeconfigSecret"),
			"the name of the Secret in this namespace that holds the kubeconfig of the cluster"))
	} else {
		for _, message := range utilvalidation.IsDNS1123Subdomain(spec.KubeconfigSecret) {
			errs = append(errs, field.Invalid(path.Child("kubeconfigSecret"), spec.KubeconfigSecret, "is no name of a Secret: "+message))
		}
	}
	errs = append(errs, validateTargetProbe(&spec.Probe, path.Child("probe"))...)
	return append(errs, validateTenancy(spec.Tenancy, path.Child("tenancy"))...)
}

func validateTargetProbe(probe *ksit.TargetProbe, path *field.Path) field.ErrorList {
	errs := validateRange(probe.IntervalSeconds, minProbeIntervalSeconds, maxProbeIntervalSeconds, path.Child("intervalSeconds"))
	errs = append(errs, validateRange(probe.FailureThreshold, 1, maxFailureThreshold, path.Child("failureThreshold"))...)
	if probe.IntervalSeconds != nil && *probe.IntervalSeconds < minProbeIntervalSeconds {
		// The timeout defaults to no more than the interval: a second complaint
		// would be about what nobody wrote.
		return errs
	}
	timeout := path.Child("timeoutSeconds")
	if faults := validateRange(probe.TimeoutSeconds, 1, maxProbeTimeoutSeconds, timeout); len(faults) > 0 {
		return append(errs, faults...)
	}
	if probe.TimeoutSeconds != nil && probe.IntervalSeconds != nil && *probe.TimeoutSeconds > *probe.IntervalSeconds {
		errs = append(errs, field.Invalid(timeout, *probe.TimeoutSeconds, "must not be more than intervalSeconds"))
	}
	return errs
}

// validateRange checks a number that may be absent.
func validateRange(value *int32, low, high int32, path *field.Path) field.ErrorList {
	if value == nil || (*value >= low && *value <= high) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, *value, utilvalidation.InclusiveRangeError(int(low), int(high)))}
}
