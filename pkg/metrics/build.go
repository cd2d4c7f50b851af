// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"

	"k8s.io/component-base/metrics"

	"ksit.io/ksit/pkg/version"
)

// RegisterBuild registers ksit_build_info, which says which build this is.
func RegisterBuild(registry Registry, build version.Info) error {
	info := metrics.NewGaugeVec(&metrics.GaugeOpts{
		Name: "ksit_build_info",
		Help: "1, with which build of KSIT this is: version, commit, the release of Kubernetes whose API machinery is built in, " +
			"and the version of Go.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"version", "commit", "kubernetes", "go"})
	if err := registry.Register(info); err != nil {
		return fmt.Errorf("registering metric %s: %w", info.FQName(), err)
	}
	info.WithLabelValues(build.GitVersion, build.GitCommit, build.Kubernetes, build.Go).Set(1)
	return nil
}
