// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
)

// Bounds of what a status holds: no object grows with the fleet.
const (
	maxTargetSummaries = 20
	maxChecks          = 32
	maxUnhealthy       = 20
	maxReleases        = 16
	maxConditions      = 16
	// maxMessageLength is that of the message of a condition.
	maxMessageLength = 32 << 10
	maxDigestLength  = 128
	// maxDriftedPointer bounds one JSON pointer: a name in it may be the key of
	// an annotation, and it may name the annotations of a template.
	maxDriftedPointer = 1024
)

// text is a field that must not be longer than limit, in bytes.
type text struct {
	name, value string
	limit       int
}

func validateLengths(path *field.Path, texts ...text) field.ErrorList {
	var errs field.ErrorList
	for _, t := range texts {
		if len(t.value) > t.limit {
			errs = append(errs, field.TooLong(path.Child(t.name), "", t.limit))
		}
	}
	return errs
}

// count is a field of a status that must not be negative.
type count struct {
	name  string
	value int64
}

func validateNotNegative(path *field.Path, counts ...count) field.ErrorList {
	var errs field.ErrorList
	for _, c := range counts {
		if c.value < 0 {
			errs = append(errs, field.Invalid(path.Child(c.name), c.value, "must not be negative"))
		}
	}
	return errs
}

func validateCommonStatus(observed int64, phase ksit.Phase, message string, conditions []metav1.Condition, path *field.Path) field.ErrorList {
	errs := validateNotNegative(path, count{"observedGeneration", observed})
	errs = append(errs, validatePhase(phase, path.Child("phase"))...)
	errs = append(errs, validateMessage(message, path.Child("message"))...)
	return append(errs, validateConditions(conditions, path.Child("conditions"))...)
}

func validateConditions(conditions []metav1.Condition, path *field.Path) field.ErrorList {
	if len(conditions) > maxConditions {
		return field.ErrorList{field.TooMany(path, len(conditions), maxConditions)}
	}
	return metav1validation.ValidateConditions(conditions, path)
}

// validatePhase accepts no phase: a status that nothing was yet found out for.
func validatePhase(phase ksit.Phase, path *field.Path) field.ErrorList {
	if phase == "" {
		return nil
	}
	return validateEnum(phase, path, []ksit.Phase{
		ksit.PhasePending, ksit.PhaseInstalling, ksit.PhaseUpgrading, ksit.PhaseRunning, ksit.PhaseDegraded,
		ksit.PhaseFailed, ksit.PhaseUninstalling, ksit.PhaseDisabled, ksit.PhaseUnknown,
	})
}

func validateMessage(message string, path *field.Path) field.ErrorList {
	if len(message) > maxMessageLength {
		return field.ErrorList{field.TooLong(path, "", maxMessageLength)}
	}
	return nil
}

func validateResolvedChart(chart *ksit.ResolvedChart, path *field.Path) field.ErrorList {
	if chart == nil {
		return nil
	}
	return validateLengths(path,
		text{"repository", chart.Repository, maxURLLength},
		text{"chart", chart.Chart, maxChartLength},
		text{"range", chart.Range, maxVersionLength},
		text{"version", chart.Version, maxVersionLength},
		text{"newer", chart.Newer, maxVersionLength},
		text{"newest", chart.Newest, maxVersionLength})
}
