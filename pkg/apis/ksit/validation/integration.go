// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Bounds of an Integration.
const (
	// maxRequirements is how many labels and expressions a selector may hold.
	maxRequirements = 64
	// maxConfigKeys is how many entries spec.config may hold.
	maxConfigKeys = 64
	// maxConfigKeyLength and maxConfigValueLength bound one entry of it.
	maxConfigKeyLength   = 63
	maxConfigValueLength = 4 << 10
	// maxReconcileLength bounds the annotation that asks for work: it is copied
	// to every Installation.
	maxReconcileLength = 256
	// maxFaults is how many faults of one list or map are reported.
	maxFaults = 10
)

// configNamespace is the key of spec.config that every type knows.
const configNamespace = "namespace"

var configKeyPattern = regexp.MustCompile("^[a-zA-Z0-9][-a-zA-Z0-9_.]*$")

// ValidateIntegration checks an Integration that is to be created.
func ValidateIntegration(integration *ksit.Integration) field.ErrorList {
	errs := apivalidation.ValidateObjectMeta(&integration.ObjectMeta, true, apivalidation.NameIsDNSLabel, field.NewPath("metadata"))
	errs = append(errs, validateReconcileAnnotation(&integration.ObjectMeta)...)
	return append(errs, validateIntegrationSpec(&integration.Spec, &integration.ObjectMeta, field.NewPath("spec"))...)
}

// ValidateIntegrationUpdate checks a change of an Integration. A spec that does
// not change is not looked at: an object that was stored under older rules must
// still be able to lose its finalizers. The metadata that every kind has is
// checked by the registry, for every update.
func ValidateIntegrationUpdate(integration, old *ksit.Integration) field.ErrorList {
	var errs field.ErrorList
	if integration.Annotations[v1alpha1.AnnotationReconcile] != old.Annotations[v1alpha1.AnnotationReconcile] {
		errs = append(errs, validateReconcileAnnotation(&integration.ObjectMeta)...)
	}
	if apiequality.Semantic.DeepEqual(integration.Spec, old.Spec) {
		return errs
	}
	path := field.NewPath("spec")
	errs = append(errs, validateImmutable(path.Child("type"), integration.Spec.Type, old.Spec.Type,
		"delete the Integration and make another for the other type")...)
	return append(errs, validateIntegrationSpec(&integration.Spec, &integration.ObjectMeta, path)...)
}

// ValidateIntegrationStatusUpdate checks a change of the status of an
// Integration.
func ValidateIntegrationStatusUpdate(integration *ksit.Integration) field.ErrorList {
	path := field.NewPath("status")
	status := &integration.Status
	errs := validateCommonStatus(status.ObservedGeneration, status.Phase, status.Message, status.Conditions, path)
	errs = append(errs, validateNotNegative(path,
		count{"targets", int64(status.Targets)}, count{"installed", int64(status.Installed)},
		count{"healthy", int64(status.Healthy)}, count{"failed", int64(status.Failed)},
		count{"updated", int64(status.Updated)})...)
	errs = append(errs, validateResolvedChart(status.ResolvedChart, path.Child("resolvedChart"))...)

	path = path.Child("targetSummaries")
	if len(status.TargetSummaries) > maxTargetSummaries {
		return append(errs, field.TooMany(path, len(status.TargetSummaries), maxTargetSummaries))
	}
	seen := map[string]bool{}
	for i, summary := range status.TargetSummaries {
		switch {
		case summary.Target == "":
			errs = append(errs, field.Required(path.Index(i).Child("target"), "name the target"))
		case seen[summary.Target]:
			errs = append(errs, field.Duplicate(path.Index(i).Child("target"), summary.Target))
		}
		seen[summary.Target] = true
		errs = append(errs, validatePhase(summary.Phase, path.Index(i).Child("phase"))...)
		errs = append(errs, validateMessage(summary.Message, path.Index(i).Child("message"))...)
	}
	return errs
}

func validateReconcileAnnotation(metadata *metav1.ObjectMeta) field.ErrorList {
	if len(metadata.Annotations[v1alpha1.AnnotationReconcile]) <= maxReconcileLength {
		return nil
	}
	path := field.NewPath("metadata", "annotations").Key(v1alpha1.AnnotationReconcile)
	return field.ErrorList{field.TooLong(path, "", maxReconcileLength)}
}

func validateIntegrationSpec(spec *ksit.IntegrationSpec, metadata *metav1.ObjectMeta, path *field.Path) field.ErrorList {
	errs := validateType(spec.Type, path.Child("type"))
	if len(spec.TargetClusters) == 0 && spec.TargetSelector == nil {
		errs = append(errs, field.Required(path.Child("targetClusters"),
			"name at least one IntegrationTarget, or select some with targetSelector"))
	}
	errs = append(errs, validateTargetClusters(spec.TargetClusters, metadata.Namespace, path.Child("targetClusters"))...)
	errs = append(errs, validateTargetSelector(spec.TargetSelector, path.Child("targetSelector"))...)
	errs = append(errs, validateAutoInstall(spec.AutoInstall, spec.Type, path.Child("autoInstall"))...)
	errs = append(errs, validateConfig(spec.Config, path.Child("config"))...)
	errs = append(errs, validateDependencies(spec.DependsOn, metadata.Name, path.Child("dependsOn"))...)
	return append(errs, validateRollout(spec.Rollout, path.Child("rollout"))...)
}

func knownTypes() []ksit.IntegrationType {
	return []ksit.IntegrationType{
		ksit.IntegrationTypeArgoCD, ksit.IntegrationTypePrometheus, ksit.IntegrationTypeIstio,
		ksit.IntegrationTypeFlux, ksit.IntegrationTypeGeneric,
	}
}

func validateType(value ksit.IntegrationType, path *field.Path) field.ErrorList {
	return validateEnum(value, path, knownTypes())
}

func validateTargetClusters(targets []string, namespace string, path *field.Path) field.ErrorList {
	if len(targets) > v1alpha1.MaxTargetClusters {
		return field.ErrorList{field.TooMany(path, len(targets), v1alpha1.MaxTargetClusters)}
	}
	var errs field.ErrorList
	seen := make(map[types.NamespacedName]bool, len(targets))
	for i, entry := range targets {
		if len(errs) >= maxFaults {
			break
		}
		target := v1alpha1.ParseTarget(namespace, entry)
		if target.Name == "" {
			errs = append(errs, field.Required(path.Index(i), "name an IntegrationTarget"))
			continue
		}
		for _, message := range utilvalidation.IsDNS1123Label(target.Name) {
			errs = append(errs, field.Invalid(path.Index(i), entry, "is no name of an IntegrationTarget: "+message))
		}
		if target.Namespace != namespace {
			for _, message := range utilvalidation.IsDNS1123Label(target.Namespace) {
				errs = append(errs, field.Invalid(path.Index(i), entry, "names no namespace before the slash: "+message))
			}
		}
		if seen[target] {
			errs = append(errs, field.Duplicate(path.Index(i), entry))
		}
		seen[target] = true
	}
	return errs
}

func validateTargetSelector(selector *metav1.LabelSelector, path *field.Path) field.ErrorList {
	if selector == nil {
		return nil
	}
	return validateSelector(selector, path,
		"an empty selector would select every target: give matchLabels or matchExpressions, or leave targetSelector out")
}

func validateConfig(config map[string]string, path *field.Path) field.ErrorList {
	if len(config) > maxConfigKeys {
		return field.ErrorList{field.TooMany(path, len(config), maxConfigKeys)}
	}
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if len(errs) >= maxFaults {
			break
		}
		switch {
		case len(key) > maxConfigKeyLength:
			errs = append(errs, field.TooLong(path.Key(key[:maxConfigKeyLength]), "", maxConfigKeyLength))
		case !configKeyPattern.MatchString(key):
			errs = append(errs, field.Invalid(path, key,
				"a key starts with a letter or digit and goes on with letters, digits, '-', '_' and '.'"))
		}
		if len(config[key]) > maxConfigValueLength {
			errs = append(errs, field.TooLong(path.Key(key), "", maxConfigValueLength))
		}
	}
	if namespace, given := config[configNamespace]; given {
		for _, message := range utilvalidation.IsDNS1123Label(namespace) {
			errs = append(errs, field.Invalid(path.Key(configNamespace), namespace, "is no name of a namespace: "+message))
		}
	}
	return errs
}

// validateImmutable tells that a field changed which must not, and what to do
// instead.
func validateImmutable[T ~string](path *field.Path, value, old T, instead string) field.ErrorList {
	if value == old {
		return nil
	}
	return field.ErrorList{field.Invalid(path, value, fmt.Sprintf("field is immutable, it is %q: %s", old, instead))}
}

// validateEnum refuses what is none of the allowed words; the empty word too.
func validateEnum[T ~string](value T, path *field.Path, allowed []T) field.ErrorList {
	switch {
	case value == "":
		words := make([]string, len(allowed))
		for i := range allowed {
			words[i] = string(allowed[i])
		}
		return field.ErrorList{field.Required(path, "one of "+strings.Join(words, ", "))}
	case !slices.Contains(allowed, value):
		return field.ErrorList{field.NotSupported(path, value, allowed)}
	default:
		return nil
	}
}
