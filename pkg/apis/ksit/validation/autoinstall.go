// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"regexp"

	"github.com/Masterminds/semver/v3"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/catalog"
)

// Bounds of spec.autoInstall.
const (
	minInstallSeconds = 10
	maxInstallSeconds = 7200
	// maxReleaseNameLength is Helm's: ten characters are left to the names that
	// charts make from it.
	maxReleaseNameLength = 53
	maxChartLength       = 250
	maxVersionLength     = 128
)

var (
	chartPattern  = regexp.MustCompile("^[a-zA-Z0-9][-a-zA-Z0-9_.]*$")
	digestPattern = regexp.MustCompile("^sha256:[0-9a-f]{64}$")
)

func validateAutoInstall(install *ksit.AutoInstall, integrationType ksit.IntegrationType, path *field.Path) field.ErrorList {
	if install == nil {
		return nil
	}
	errs := validateEnum(install.Method, path.Child("method"), []ksit.InstallMethod{ksit.InstallMethodHelm, ksit.InstallMethodManifest})
	helm, manifest := path.Child("helmConfig"), path.Child("manifestConfig")
	if install.HelmConfig != nil {
		errs = append(errs, validateHelmConfig(install.HelmConfig, integrationType, helm)...)
	}
	if install.ManifestConfig != nil {
		errs = append(errs, validateManifestConfig(install.ManifestConfig, manifest)...)
	}
	switch install.Method {
	case ksit.InstallMethodHelm:
		// The other method's part would be ignored without a word.
		if install.ManifestConfig != nil {
			errs = append(errs, field.Forbidden(manifest, "must not be given while method is helm: remove it, or set method to manifest"))
		}
		if install.Enabled {
			errs = append(errs, requireHelmConfig(install.HelmConfig, integrationType, helm)...)
		}
	case ksit.InstallMethodManifest:
		if install.HelmConfig != nil {
			errs = append(errs, field.Forbidden(helm, "must not be given while method is manifest: remove it, or set method to helm"))
		}
		if install.Enabled && install.ManifestConfig == nil {
			errs = append(errs, field.Required(manifest, fmt.Sprintf(
				"type %s has no manifests of its own: give url, configMapRef or manifests", integrationType)))
		}
	}

	if seconds := install.TimeoutSeconds; seconds != nil && (*seconds < minInstallSeconds || *seconds > maxInstallSeconds) {
		errs = append(errs, field.Invalid(path.Child("timeoutSeconds"), *seconds,
			utilvalidation.InclusiveRangeError(minInstallSeconds, maxInstallSeconds)))
	}
	errs = append(errs, validateEnum(install.CRDPolicy, path.Child("crdPolicy"),
		[]ksit.CRDPolicy{ksit.CRDPolicyCreateReplace, ksit.CRDPolicyCreate, ksit.CRDPolicySkip})...)
	errs = append(errs, validateEnum(install.DeletionPolicy, path.Child("deletionPolicy"),
		[]ksit.DeletionPolicy{ksit.DeletionPolicyDelete, ksit.DeletionPolicyDeleteAdopted, ksit.DeletionPolicyOrphan})...)
	errs = append(errs, validateEnum(install.AdoptionPolicy, path.Child("adoptionPolicy"),
		[]ksit.AdoptionPolicy{ksit.AdoptionPolicyAdopt, ksit.AdoptionPolicyRefuse})...)
	errs = append(errs, validateRemediation(install.Remediation, path.Child("remediation"))...)
	return append(errs, validateDrift(install.Drift, path.Child("drift"))...)
}

// requireHelmConfig tells which parts are missing. The strategy has filled in
// by now what the catalog knows.
func requireHelmConfig(config *ksit.HelmConfig, integrationType ksit.IntegrationType, path *field.Path) field.ErrorList {
	if config == nil {
		config = &ksit.HelmConfig{}
	}
	var errs field.ErrorList
	if config.Repository == "" {
		errs = append(errs, field.Required(path.Child("repository"), "the URL of the chart repository: http, https or oci"))
	}
	if config.Chart == "" {
		errs = append(errs, field.Required(path.Child("chart"), "the name of the chart in the repository"))
	}
	if config.Version == "" {
		message := "the version of the chart: exact, such as 5.51.6, or a range, such as ~5.51"
		if _, known := catalog.For(string(integrationType)); known {
			message += fmt.Sprintf(": type %s knows no version of this chart", integrationType)
		}
		errs = append(errs, field.Required(path.Child("version"), message))
	}
	if config.ReleaseName == "" {
		errs = append(errs, field.Required(path.Child("releaseName"), "the name of the Helm release"))
	}
	return errs
}

func validateHelmConfig(config *ksit.HelmConfig, integrationType ksit.IntegrationType, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if config.Repository != "" {
		errs = append(errs, validateURL(config.Repository, path.Child("repository"), "http", "https", "oci")...)
	}
	if config.Chart != "" {
		errs = append(errs, validateChart(config.Chart, path.Child("chart"))...)
	}
	if config.Version != "" {
		errs = append(errs, validateVersion(config.Version, path.Child("version"))...)
	}
	if config.ReleaseName != "" {
		errs = append(errs, validateReleaseName(config, integrationType, path.Child("releaseName"))...)
	}
	errs = append(errs, validateValues(config, path)...)
	errs = append(errs, validateValuesFrom(config.ValuesFrom, path.Child("valuesFrom"))...)
	errs = append(errs, validateReference(config.SecretRef, path.Child("secretRef"))...)
	errs = append(errs, validateReference(config.CASecretRef, path.Child("caSecretRef"))...)
	return append(errs, validateVerification(config.Verify, config.Repository, path.Child("verify"))...)
}

func validateChart(chart string, path *field.Path) field.ErrorList {
	if len(chart) > maxChartLength {
		return field.ErrorList{field.TooLong(path, "", maxChartLength)}
	}
	if !chartPattern.MatchString(chart) {
		return field.ErrorList{field.Invalid(path, chart,
			"the name of a chart starts with a letter or digit and goes on with letters, digits, '-', '_' and '.'; what comes before it belongs to repository")}
	}
	return nil
}

func validateVersion(version string, path *field.Path) field.ErrorList {
	if len(version) > maxVersionLength {
		return field.ErrorList{field.TooLong(path, "", maxVersionLength)}
	}
	if _, err := semver.NewVersion(version); err == nil {
		return nil
	}
	if _, err := semver.NewConstraint(version); err != nil {
		return field.ErrorList{field.Invalid(path, version,
			"must be a semantic version, such as 5.51.6, or a range of them, such as ~5.51 or >=5.50 <6")}
	}
	return nil
}

func validateReleaseName(config *ksit.HelmConfig, integrationType ksit.IntegrationType, path *field.Path) field.ErrorList {
	name := config.ReleaseName
	if len(name) > maxReleaseNameLength {
		return field.ErrorList{field.Invalid(path, name,
			fmt.Sprintf("Helm takes at most %d characters: give a shorter releaseName (it defaults by type, for generic to the name of the Integration)", maxReleaseNameLength))}
	}
	var errs field.ErrorList
	for _, message := range utilvalidation.IsDNS1123Subdomain(name) {
		errs = append(errs, field.Invalid(path, name, "is no name of a Helm release: "+message))
	}
	for _, before := range catalog.Prerequisites(string(integrationType), config.Chart) {
		if name == before.ReleaseName {
			errs = append(errs, field.Invalid(path, name,
				fmt.Sprintf("is the name of the release of chart %s, which KSIT installs before %s: give another", before.Chart, config.Chart)))
		}
	}
	return errs
}

func validateManifestConfig(config *ksit.ManifestConfig, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	var sources []string
	if config.URL != "" {
		sources = append(sources, "url")
		errs = append(errs, validateURL(config.URL, path.Child("url"), "http", "https")...)
	}
	if config.ConfigMapRef != nil {
		sources = append(sources, "configMapRef")
		errs = append(errs, validateConfigMapReference(config.ConfigMapRef, path.Child("configMapRef"))...)
	}
	if config.Manifests != "" {
		sources = append(sources, "manifests")
		errs = append(errs, validateManifests(config.Manifests, path.Child("manifests"))...)
	}
	switch len(sources) {
	case 0:
		errs = append(errs, field.Required(path, "give one of url, configMapRef and manifests"))
	case 1:
	default:
		errs = append(errs, field.Forbidden(path, fmt.Sprintf("only one source may be given, and there are %d: %v", len(sources), sources)))
	}
	return append(errs, validateFetched(config, path)...)
}

// validateFetched checks what only makes sense for manifests that are fetched
// from a URL.
func validateFetched(config *ksit.ManifestConfig, path *field.Path) field.ErrorList {
	errs := validateReference(config.SecretRef, path.Child("secretRef"))
	errs = append(errs, validateReference(config.CASecretRef, path.Child("caSecretRef"))...)
	if config.Digest != "" && !digestPattern.MatchString(config.Digest) {
		errs = append(errs, field.Invalid(path.Child("digest"), config.Digest, "must be sha256: and 64 hexadecimal digits in lower case"))
	}
	if config.URL != "" {
		return errs
	}
	if config.Digest != "" {
		errs = append(errs, field.Forbidden(path.Child("digest"), "only what is fetched from url has a digest to compare: remove it"))
	}
	if config.SecretRef != nil {
		errs = append(errs, field.Forbidden(path.Child("secretRef"), "only the server of url is given credentials: remove it"))
	}
	if config.CASecretRef != nil {
		errs = append(errs, field.Forbidden(path.Child("caSecretRef"), "only the server of url is verified: remove it"))
	}
	return errs
}

func validateConfigMapReference(ref *ksit.ConfigMapReference, path *field.Path) field.ErrorList {
	errs := validateObjectName(ref.Name, path.Child("name"), "ConfigMap")
	return append(errs, validateDataKey(ref.Key, path.Child("key"))...)
}
