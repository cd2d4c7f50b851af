// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"slices"
	"strings"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/status"
)

// source names what is installed, for the column CHART.
func source(integration *v1alpha1.Integration) string {
	auto := integration.Spec.AutoInstall
	switch {
	case auto == nil || !auto.Enabled:
		return ""
	case auto.HelmConfig != nil:
		return auto.HelmConfig.Chart
	case auto.ManifestConfig == nil:
		return ""
	case auto.ManifestConfig.ConfigMapRef != nil:
		return "configmap/" + auto.ManifestConfig.ConfigMapRef.Name
	case auto.ManifestConfig.URL != "":
		return auto.ManifestConfig.URL
	default:
		return "inline"
	}
}

// versionOf is the version of what the user named: the last release, after
// those that it needs.
func versionOf(installation *v1alpha1.Installation) string {
	if n := len(installation.Status.Releases); n > 0 {
		return installation.Status.Releases[n-1].Version
	}
	return ""
}

func versions(installations []*v1alpha1.Installation) string {
	var all []string
	for _, installation := range installations {
		if version := versionOf(installation); version != "" && !slices.Contains(all, version) {
			all = append(all, version)
		}
	}
	slices.Sort(all)
	if len(all) > maxVersions {
		all = append(all[:maxVersions], "…")
	}
	return strings.Join(all, ",")
}

func summaries(sorted []*v1alpha1.Installation) []v1alpha1.TargetSummary {
	sorted = sorted[:min(len(sorted), maxSummaries)]
	lines := make([]v1alpha1.TargetSummary, 0, len(sorted))
	for _, installation := range sorted {
		lines = append(lines, v1alpha1.TargetSummary{
			Target:  installation.TargetName(),
			Phase:   phaseOf(installation),
			Version: versionOf(installation),
			Message: status.Shorten(installation.Status.Message, maxSummaryMessage),
		})
	}
	return lines
}
