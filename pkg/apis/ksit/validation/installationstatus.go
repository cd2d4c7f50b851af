// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// ValidateInstallationStatusUpdate checks a change of the status of an
// Installation.
func ValidateInstallationStatusUpdate(installation *ksit.Installation) field.ErrorList {
	path := field.NewPath("status")
	status := &installation.Status
	errs := validateCommonStatus(status.ObservedGeneration, status.Phase, status.Message, status.Conditions, path)
	errs = append(errs, validateNotNegative(path, count{"failures", int64(status.Failures)}, count{"retries", int64(status.Retries)})...)
	errs = append(errs, validateReleases(status.Releases, path.Child("releases"))...)
	errs = append(errs, validateChecks(status.Checks, path.Child("checks"))...)
	errs = append(errs, validateUnhealthy(status.Unhealthy, path.Child("unhealthy"))...)
	errs = append(errs, validateDrifted(status.Drifted, path.Child("drifted"))...)
	errs = append(errs, validateLengths(path,
		text{"appliedDigest", status.AppliedDigest, maxDigestLength},
		text{"attemptedDigest", status.AttemptedDigest, maxDigestLength},
		text{"lastRequest", status.LastRequest, maxRequestID},
		text{"values", status.Values, v1alpha1.MaxStatusValues})...)
	errs = append(errs, validateOperations(status.Operations, path.Child("operations"))...)
	errs = append(errs, validateHold(status.Hold, path.Child("hold"))...)
	if status.LastOperation != nil {
		errs = append(errs, validateOperation(status.LastOperation, path.Child("lastOperation"))...)
	}
	return errs
}

func validateReleases(releases []ksit.ReleaseStatus, path *field.Path) field.ErrorList {
	if len(releases) > maxReleases {
		return field.ErrorList{field.TooMany(path, len(releases), maxReleases)}
	}
	var errs field.ErrorList
	for i := range releases {
		release, path := &releases[i], path.Index(i)
		if release.Name == "" {
			errs = append(errs, field.Required(path.Child("name"), "the name of the release"))
		}
		if release.Namespace == "" {
			errs = append(errs, field.Required(path.Child("namespace"), "the namespace of the release"))
		}
		errs = append(errs, validateNotNegative(path, count{"revision", release.Revision}, count{"objects", int64(release.Objects)})...)
	}
	return errs
}

func validateChecks(checks []ksit.CheckResult, path *field.Path) field.ErrorList {
	if len(checks) > maxChecks {
		return field.ErrorList{field.TooMany(path, len(checks), maxChecks)}
	}
	var errs field.ErrorList
	for i, check := range checks {
		if check.Name == "" {
			errs = append(errs, field.Required(path.Index(i).Child("name"), "the name of the check"))
		}
		errs = append(errs, validateEnum(check.State, path.Index(i).Child("state"), []ksit.CheckState{
			ksit.CheckPassed, ksit.CheckProgressing, ksit.CheckFailed, ksit.CheckUnknown})...)
		errs = append(errs, validateMessage(check.Message, path.Index(i).Child("message"))...)
	}
	return errs
}

func validateUnhealthy(resources []ksit.UnhealthyResource, path *field.Path) field.ErrorList {
	if len(resources) > maxUnhealthy {
		return field.ErrorList{field.TooMany(path, len(resources), maxUnhealthy)}
	}
	var errs field.ErrorList
	for i := range resources {
		resource, path := &resources[i], path.Index(i)
		if resource.Kind == "" {
			errs = append(errs, field.Required(path.Child("kind"), "the kind of the object"))
		}
		if resource.Name == "" {
			errs = append(errs, field.Required(path.Child("name"), "the name of the object"))
		}
		errs = append(errs, validateEnum(resource.State, path.Child("state"), []ksit.CheckState{
			ksit.CheckProgressing, ksit.CheckFailed, ksit.CheckUnknown})...)
		errs = append(errs, validateMessage(resource.Message, path.Child("message"))...)
	}
	return errs
}

func validateDrifted(resources []ksit.DriftedResource, path *field.Path) field.ErrorList {
	if len(resources) > v1alpha1.MaxDrifted {
		return field.ErrorList{field.TooMany(path, len(resources), v1alpha1.MaxDrifted)}
	}
	var errs field.ErrorList
	for i := range resources {
		resource, path := &resources[i], path.Index(i)
		if resource.Kind == "" {
			errs = append(errs, field.Required(path.Child("kind"), "the kind of the object"))
		}
		if resource.Name == "" {
			errs = append(errs, field.Required(path.Child("name"), "the name of the object"))
		}
		if len(resource.Fields) > v1alpha1.MaxDriftedFields {
			errs = append(errs, field.TooMany(path.Child("fields"), len(resource.Fields), v1alpha1.MaxDriftedFields))
			continue
		}
		for n, pointer := range resource.Fields {
			if len(pointer) > maxDriftedPointer {
				errs = append(errs, field.TooLong(path.Child("fields").Index(n), "", maxDriftedPointer))
			}
		}
	}
	return errs
}
