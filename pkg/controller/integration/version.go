// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"

	"github.com/Masterminds/semver/v3"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// chartOf is the chart that an Integration has KSIT install; nil for none.
func chartOf(integration *v1alpha1.Integration) *v1alpha1.HelmConfig {
	spec := &integration.Spec
	if spec.Enabled != nil && !*spec.Enabled {
		return nil
	}
	install := spec.AutoInstall
	if install == nil || !install.Enabled || install.Method == v1alpha1.InstallMethodManifest {
		return nil
	}
	return install.HelmConfig
}

// isExact tells a version from a range, as Helm does.
func isExact(version string) bool {
	_, err := semver.StrictNewVersion(strings.TrimPrefix(version, "v"))
	return err == nil
}

// resolves tells whether what was resolved is what a chart asks for now.
func resolves(resolved *v1alpha1.ResolvedChart, config *v1alpha1.HelmConfig) bool {
	return resolved != nil && resolved.Version != "" &&
		resolved.Repository == config.Repository && resolved.Chart == config.Chart && resolved.Range == config.Version
}

// newer returns candidate where it is newer than version.
func newer(candidate, version string) string {
	a, errA := semver.NewVersion(candidate)
	b, errB := semver.NewVersion(version)
	if errA != nil || errB != nil || !a.GreaterThan(b) {
		return ""
	}
	return candidate
}

// newestAdmitted returns the newest of the versions that a range admits; empty
// for none.
func newestAdmitted(wanted string, versions []string) string {
	if wanted == "" {
		wanted = "*"
	}
	constraint, err := semver.NewConstraint(wanted)
	if err != nil {
		return ""
	}
	var newest string
	for _, text := range versions {
		version, err := semver.NewVersion(text)
		if err != nil || !constraint.Check(version) {
			continue
		}
		if newest == "" || newer(text, newest) != "" {
			newest = text
		}
	}
	return newest
}
