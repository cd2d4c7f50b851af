// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
	"ksit.io/ksit/test/e2e/usage"
)

// idleFor is how long the CPU time of a controller manager at rest is measured,
// and settle how long it is left alone before: what an install left behind in
// memory is returned to the system by then.
const (
	settle  = 60 * time.Second
	idleFor = 60 * time.Second
)

// BenchmarkIdle measures what the controllers, as a process of their own, use
// when the four Integrations of the user's guide run on two clusters and nothing
// changes: probes, watches and the leader's lease go on. Only on Linux.
func BenchmarkIdle(b *testing.B) {
	on := newBed(b, bed.Options{Targets: 2, PrometheusOperator: true})
	startAPIServer(b, on)
	client := ksitClient(b, on)
	manager := startControllerManager(b, on)
	registerTargets(b, on, client)
	integrations := samples(b, "argocd", "prometheus", "istio", "flux")
	if _, err := untilRunning(b.Context(), client, integrations...); err != nil {
		b.Fatalf("%v\n%s", err, manager.LogTail(20))
	}

	time.Sleep(settle)
	begin := time.Now()
	before := usageOf(b, manager.Pid())
	time.Sleep(idleFor)
	after := usageOf(b, manager.Pid())
	b.ReportMetric((after.CPU-before.CPU).Seconds()/time.Since(begin).Seconds()*1000, "millicores")
	b.ReportMetric(after.Resident, "rss-MB")
	b.ReportMetric(after.Anonymous, "anonymous-MB")
	b.ReportMetric(after.Peak, "peak-rss-MB")
	reportLoad(b)
}

// startControllerManager runs the controllers with the rights that the manifests
// give them.
func startControllerManager(b *testing.B, on *bed.Bed) *bed.Process {
	b.Helper()
	manager, err := on.ControllerManager(b.Context(), "ksit-controller-manager", bed.KSITOptions{Binary: binary(b), Artifacts: artifacts})
	if err != nil {
		b.Fatal(err)
	}
	if err := manager.Start(); err != nil {
		b.Fatal(err)
	}
	return manager
}

// samples reads Integrations of artifacts/samples.
func samples(b *testing.B, names ...string) []*v1alpha1.Integration {
	b.Helper()
	integrations := make([]*v1alpha1.Integration, len(names))
	for n, name := range names {
		data, err := os.ReadFile(filepath.Join("..", "..", "..", "artifacts", "samples", name+".yaml"))
		if err != nil {
			b.Fatal(err)
		}
		parsed, err := bed.ParseObjects(data)
		if err != nil {
			b.Fatal(err)
		}
		integrations[n] = &v1alpha1.Integration{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(parsed[0].Object, integrations[n]); err != nil {
			b.Fatal(err)
		}
	}
	return integrations
}

// usageOf reads what a process uses, where that can be read.
func usageOf(b *testing.B, pid int) usage.Usage {
	b.Helper()
	used, err := usage.Of(pid)
	if err != nil {
		b.Skip(err)
	}
	return used
}
