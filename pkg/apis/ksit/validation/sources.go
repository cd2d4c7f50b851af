// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"

	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
)

// Bounds of what an AutoInstall refers to.
const (
	maxValuesFrom       = 16
	maxTargetPathLength = 1024
)

const ociScheme = "oci://"

func validateValuesFrom(sources []ksit.ValuesSource, path *field.Path) field.ErrorList {
	if len(sources) > maxValuesFrom {
		return field.ErrorList{field.TooMany(path, len(sources), maxValuesFrom)}
	}
	var errs field.ErrorList
	for i := range sources {
		source, path := &sources[i], path.Index(i)
		errs = append(errs, validateEnum(source.Kind, path.Child("kind"), []ksit.SourceKind{ksit.SourceConfigMap, ksit.SourceSecret})...)
		errs = append(errs, validateObjectName(source.Name, path.Child("name"), "ConfigMap or Secret")...)
		errs = append(errs, validateDataKey(source.Key, path.Child("key"))...)
		errs = append(errs, validateTargetPath(source.TargetPath, path.Child("targetPath"))...)
	}
	return errs
}

// validateTargetPath checks where a content goes: the notation is that of the
// keys of values. Without one the content is merged as a whole.
func validateTargetPath(target string, path *field.Path) field.ErrorList {
	if target == "" {
		return nil
	}
	if len(target) > maxTargetPathLength {
		return field.ErrorList{field.TooLong(path, "", maxTargetPathLength)}
	}
	if _, err := parseValueKey(target); err != nil {
		return field.ErrorList{field.Invalid(path, target, err.Error())}
	}
	return nil
}

// validateReference checks a reference to a Secret; nil where none is given.
func validateReference(ref *ksit.LocalReference, path *field.Path) field.ErrorList {
	if ref == nil {
		return nil
	}
	return validateObjectName(ref.Name, path.Child("name"), "Secret")
}

func validateVerification(verify *ksit.ChartVerification, repository string, path *field.Path) field.ErrorList {
	if verify == nil {
		return nil
	}
	provider := path.Child("provider")
	errs := validateEnum(verify.Provider, provider, []ksit.VerificationProvider{ksit.VerificationProvenance, ksit.VerificationCosign})
	if verify.Provider == ksit.VerificationCosign && repository != "" && !strings.HasPrefix(repository, ociScheme) {
		errs = append(errs, field.Invalid(provider, verify.Provider,
			"signatures by cosign are kept beside the chart in a registry: give a repository of oci://, or provenance for a provider"))
	}
	return append(errs, validateReference(&verify.SecretRef, path.Child("secretRef"))...)
}

// validateObjectName checks the name of a ConfigMap or Secret.
func validateObjectName(name string, path *field.Path, kind string) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "the name of a "+kind+" in this namespace")}
	}
	var errs field.ErrorList
	for _, message := range utilvalidation.IsDNS1123Subdomain(name) {
		errs = append(errs, field.Invalid(path, name, "is no name of a "+kind+": "+message))
	}
	return errs
}

// validateDataKey checks a key of a ConfigMap or Secret, where one is given.
func validateDataKey(key string, path *field.Path) field.ErrorList {
	if key == "" {
		return nil
	}
	var errs field.ErrorList
	for _, message := range utilvalidation.IsConfigMapKey(key) {
		errs = append(errs, field.Invalid(path, key, message))
	}
	return errs
}
