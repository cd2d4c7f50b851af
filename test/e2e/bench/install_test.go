// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"testing"
	"time"

	"ksit.io/ksit/test/bed"
)

// BenchmarkInstall measures one install: from the request that creates an
// Integration until a watch says that it is Running, and `helm install --wait`
// of the same chart, onto the same cluster, in turns. Each begins without the
// namespace and the CRDs of the one before.
func BenchmarkInstall(b *testing.B) {
	on := newBed(b, bed.Options{Targets: 1})
	startServer(b, on)
	client := ksitClient(b, on)
	registerTargets(b, on, client)
	target := on.Targets[0]
	onTarget, err := target.Client()
	if err != nil {
		b.Fatal(err)
	}
	helm := helm{bed: on, target: target, dir: b.TempDir()}

	for _, chart := range []struct {
		name, repository, version string
		turns                     int
	}{
		{"podinfo-lite", testCharts, "1.0.0", 5},
		{"argo-cd", "https://argoproj.github.io/argo-helm", "5.51.6", 3},
	} {
		b.Run(chart.name, func(b *testing.B) {
			integration := helmIntegration(chart.name, chart.name, chart.repository, chart.name, chart.version, target)
			clean := func() {
				if err := deleteNamespace(b.Context(), onTarget, chart.name); err != nil {
					b.Fatal(err)
				}
				if err := deleteCRDs(b.Context(), target); err != nil {
					b.Fatal(err)
				}
			}
			var ofKSIT, ofHelm []time.Duration
			for range chart.turns {
				took, err := untilRunning(b.Context(), client, integration)
				if err != nil {
					b.Fatal(err)
				}
				ofKSIT = append(ofKSIT, took)
				if err := deleteIntegrations(b.Context(), client, integration); err != nil {
					b.Fatal(err)
				}
				clean()

				begin := time.Now()
				if err := helm.install(b.Context(), integration); err != nil {
					b.Fatal(err)
				}
				ofHelm = append(ofHelm, time.Since(begin))
				if err := helm.uninstall(b.Context(), integration); err != nil {
					b.Fatal(err)
				}
				clean()
			}
			ksit, helm := median(ofKSIT).Seconds(), median(ofHelm).Seconds()
			b.ReportMetric(ksit, "ksit-s")
			b.ReportMetric(helm, "helm-s")
			b.ReportMetric(ksit/helm, "ksit-x-of-helm")
			reportLoad(b)
		})
	}
}
