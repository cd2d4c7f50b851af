// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"strings"

	"github.com/Masterminds/semver/v3"

	"ksit.io/ksit/pkg/apis/ksit"
)

// restoredChart is what the range of a chart stood for when a backup was made of
// an Integration. It is the one part of a status that is taken from who creates
// the object: without it a restore would resolve the range anew, and upgrade what
// runs. It grants nothing, since the author of a spec may name any version of the
// range. It is nil where it is not about the spec, or no version of its range.
func restoredChart(integration *ksit.Integration) *ksit.ResolvedChart {
	resolved, install := integration.Status.ResolvedChart, integration.Spec.AutoInstall
	if resolved == nil || install == nil || install.HelmConfig == nil {
		return nil
	}
	config := install.HelmConfig
	if config.Repository != resolved.Repository || config.Chart != resolved.Chart || config.Version != resolved.Range {
		return nil
	}
	version, err := semver.StrictNewVersion(strings.TrimPrefix(resolved.Version, "v"))
	if err != nil {
		return nil
	}
	wanted := config.Version
	if wanted == "" {
		wanted = "*"
	}
	if constraint, err := semver.NewConstraint(wanted); err != nil || !constraint.Check(version) {
		return nil
	}
	// Whether there is a newer one is found out anew.
	return &ksit.ResolvedChart{Repository: resolved.Repository, Chart: resolved.Chart, Range: resolved.Range, Version: resolved.Version}
}
