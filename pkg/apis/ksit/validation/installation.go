// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
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
	errs = append(errs, validateImmutable(path.Child("targetNamespace"), installation.Spec.TargetNamespace, old.Spec.TargetNamespace, instead)...)
	errs = append(errs, validateImmutable(path.Child("type"), installation.Spec.Type, old.Spec.Type, instead)...)
	return append(errs, validateInstallationSpec(&installation.Spec, path)...)
}

func validateInstallationSpec(spec *ksit.InstallationSpec, path *field.Path) field.ErrorList {
	errs := validateName(spec.Integration, path.Child("integration"), "the name of the Integration")
	errs = append(errs, validateName(spec.Target, path.Child("target"), "the name of the IntegrationTarget")...)
	if spec.TargetNamespace != "" {
		errs = append(errs, validateName(spec.TargetNamespace, path.Child("targetNamespace"), "the namespace of the IntegrationTarget")...)
	}
	errs = append(errs, validateType(spec.Type, path.Child("type"))...)
	errs = append(errs, validateAutoInstall(spec.AutoInstall, spec.Type, path.Child("autoInstall"))...)
	errs = append(errs, validateConfig(spec.Config, path.Child("config"))...)
	errs = append(errs, validateDependencies(spec.DependsOn, spec.Integration, path.Child("dependsOn"))...)
	return append(errs, validateLengths(path,
		text{"reconcileRequest", spec.ReconcileRequest, maxReconcileLength},
		text{"waitsFor", spec.WaitsFor, v1alpha1.MaxWaitsFor},
		text{"sourcesDigest", spec.SourcesDigest, maxDigestLength})...)
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
