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

// ValidateInstallation checks an Installation that is to be created.
func ValidateInstallation(installation *ksit.Installation) field.ErrorList {
	errs := apivalidation.ValidateObjectMeta(&installation.ObjectMeta, true, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	return append(errs, validateInstallationSpec(&installation.Spec, field.NewPath("spec"))...)
}

// ValidateInstallationUpdate checks a change of an Installation; see
// ValidateIntegrationUpdate for what is left out.
func ValidateInstallationUpdate(installation, old *ksit.Installation) field.ErrorList {
	if apiequality.Semantic.DeepEqual(installation.Spec, old.Spec) {
		return nil
	}
	path := field.NewPath("spec")
	const instead = "each Integration has an Installation of its own for each target"
	errs := validateImmutable(path.Child("integration"), installation.Spec.Integration, old.Spec.Integration, instead)
	errs = append(errs, validateImmutable(path.Child("target"), installation.Spec.Target, old.Spec.Target, instead)...)
	errs = append(errs, validateImmutable(path.Child("type"), installation.Spec.Type, old.Spec.Type, instead)...)
	return append(errs, validateInstallationSpec(&installation.Spec, path)...)
}

func validateInstallationSpec(spec *ksit.InstallationSpec, path *field.Path) field.ErrorList {
	errs := validateName(spec.Integration, path.Child("integration"), "the name of the Integration")
	errs = append(errs, validateName(spec.Target, path.Child("target"), "the name of the IntegrationTarget")...)
	errs = append(errs, validateType(spec.Type, path.Child("type"))...)
	errs = append(errs, validateAutoInstall(spec.AutoInstall, spec.Type, path.Child("autoInstall"))...)
	errs = append(errs, validateConfig(spec.Config, path.Child("config"))...)
	if len(spec.ReconcileRequest) > maxReconcileLength {
		errs = append(errs, field.TooLong(path.Child("reconcileRequest"), "", maxReconcileLength))
	}
	return errs
}

func validateName(name string, path *field.Path, what string) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, what)}
	}
	var errs field.ErrorList
	for _, message := range utilvalidation.IsDNS1123Label(name) {
		errs = append(errs, field.Invalid(path, name, message))
	}
	return errs
}

// ValidateInstallationStatusUpdate checks a change of the status of an
// Installation.
func ValidateInstallationStatusUpdate(installation *ksit.Installation) field.ErrorList {
	path := field.NewPath("status")
	status := &installation.Status
	errs := validateCommonStatus(status.ObservedGeneration, status.Phase, status.Message, status.Conditions, path)
	errs = append(errs, validateNotNegative(path, count{"failures", int64(status.Failures)})...)
	errs = append(errs, validateReleases(status.Releases, path.Child("releases"))...)
	errs = append(errs, validateChecks(status.Checks, path.Child("checks"))...)
	errs = append(errs, validateUnhealthy(status.Unhealthy, path.Child("unhealthy"))...)
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

func validateOperation(operation *ksit.Operation, path *field.Path) field.ErrorList {
	errs := validateEnum(operation.Type, path.Child("type"), []ksit.OperationType{
		ksit.OperationInstall, ksit.OperationUpgrade, ksit.OperationUninstall})
	errs = append(errs, validateEnum(operation.Outcome, path.Child("outcome"), []ksit.OperationOutcome{
		ksit.OperationRunning, ksit.OperationSucceeded, ksit.OperationFailed})...)
	if operation.StartedAt.IsZero() {
		errs = append(errs, field.Required(path.Child("startedAt"), "when it began"))
	}
	return append(errs, validateMessage(operation.Message, path.Child("message"))...)
}
