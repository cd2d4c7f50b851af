// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import "ksit.io/ksit/pkg/apis/ksit/v1alpha1"

// Candidate is the spec that an Installation on a target would get by an
// Integration, whatever its turn in a rollout. Where it is known what a range of
// versions stands for, that is in it.
func Candidate(integration *v1alpha1.Integration, target string) v1alpha1.InstallationSpec {
	spec := installationSpec(integration, target)
	config := chartOf(integration)
	if config != nil && !isExact(config.Version) && resolves(integration.Status.ResolvedChart, config) {
		spec.AutoInstall.HelmConfig.Version = integration.Status.ResolvedChart.Version
	}
	return spec
}
