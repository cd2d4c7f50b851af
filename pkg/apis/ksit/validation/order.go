// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
)

// Bounds of spec.dependsOn and spec.rollout.
const (
	maxDependencies = 16
	maxPartitions   = 20
	maxSoakSeconds  = 7 * 24 * 3600
)

var percentPattern = regexp.MustCompile("^[0-9]{1,3}%$")

// validateDependencies checks the names of the Integrations that come before
// self. That they make no cycle is checked by admission, which can see them.
func validateDependencies(dependencies []ksit.IntegrationDependency, self string, path *field.Path) field.ErrorList {
	if len(dependencies) > maxDependencies {
		return field.ErrorList{field.TooMany(path, len(dependencies), maxDependencies)}
	}
	var errs field.ErrorList
	seen := make(map[string]bool, len(dependencies))
	for i, dependency := range dependencies {
		path := path.Index(i).Child("name")
		errs = append(errs, validateName(dependency.Name, path, "the name of an Integration of this namespace")...)
		switch {
		case dependency.Name == "":
		case dependency.Name == self:
			errs = append(errs, field.Invalid(path, dependency.Name, "an Integration cannot come before itself: name another, or remove the entry"))
		case seen[dependency.Name]:
			errs = append(errs, field.Duplicate(path, dependency.Name))
		}
		seen[dependency.Name] = true
	}
	return errs
}

func validateRollout(rollout *ksit.Rollout, path *field.Path) field.ErrorList {
	if rollout == nil {
		return nil
	}
	errs := validateShare(rollout.MaxConcurrent, path.Child("maxConcurrent"), "to hold every change back, set paused")
	errs = append(errs, validateShare(rollout.StopAfterFailures, path.Child("stopAfterFailures"), "to go on whatever fails, give 100%")...)
	path = path.Child("partitions")
	if len(rollout.Partitions) > maxPartitions {
		return append(errs, field.TooMany(path, len(rollout.Partitions), maxPartitions))
	}
	seen := make(map[string]bool, len(rollout.Partitions))
	for i := range rollout.Partitions {
		partition := &rollout.Partitions[i]
		errs = append(errs, validatePartition(partition, path.Index(i))...)
		if partition.Name != "" && seen[partition.Name] {
			errs = append(errs, field.Duplicate(path.Index(i).Child("name"), partition.Name))
		}
		seen[partition.Name] = true
	}
	return errs
}

func validatePartition(partition *ksit.RolloutPartition, path *field.Path) field.ErrorList {
	errs := validateName(partition.Name, path.Child("name"), "what messages call the partition, such as canary")
	selector := path.Child("targetSelector")
	if partition.TargetSelector == nil {
		errs = append(errs, field.Required(selector, "select the IntegrationTargets of the partition by matchLabels or matchExpressions"))
	} else {
		errs = append(errs, validateSelector(partition.TargetSelector, selector,
			"an empty selector would select every target: give matchLabels or matchExpressions, or leave the partition out: what no partition selects comes last")...)
	}
	if soak := partition.SoakSeconds; soak != nil && (*soak < 0 || *soak > maxSoakSeconds) {
		errs = append(errs, field.Invalid(path.Child("soakSeconds"), *soak, utilvalidation.InclusiveRangeError(0, maxSoakSeconds)))
	}
	return errs
}

// validateShare checks a number of clusters, or a percentage of them. None at
// all is never meant: instead says what is.
func validateShare(share *intstr.IntOrString, path *field.Path, instead string) field.ErrorList {
	if share == nil {
		return nil
	}
	if share.Type == intstr.Int {
		if share.IntVal < 1 {
			return field.ErrorList{field.Invalid(path, share.IntVal, "must be at least 1: "+instead)}
		}
		return nil
	}
	const form = "must be a number of clusters, such as 2, or a percentage of them, from 1% to 100%"
	if !percentPattern.MatchString(share.StrVal) {
		return field.ErrorList{field.Invalid(path, share.StrVal, form)}
	}
	percent, err := strconv.Atoi(strings.TrimSuffix(share.StrVal, "%"))
	switch {
	case err != nil || percent > 100:
		return field.ErrorList{field.Invalid(path, share.StrVal, form)}
	case percent < 1:
		return field.ErrorList{field.Invalid(path, share.StrVal, fmt.Sprintf("%s: %s", form, instead))}
	}
	return nil
}

// validateSelector checks a selector of targets. One that is empty would select
// all of them; the message says what to do instead.
func validateSelector(selector *metav1.LabelSelector, path *field.Path, empty string) field.ErrorList {
	requirements := len(selector.MatchLabels) + len(selector.MatchExpressions)
	if requirements == 0 {
		return field.ErrorList{field.Required(path, empty)}
	}
	if requirements > maxRequirements {
		return field.ErrorList{field.TooMany(path, requirements, maxRequirements)}
	}
	return metav1validation.ValidateLabelSelector(selector, metav1validation.LabelSelectorValidationOptions{}, path)
}
