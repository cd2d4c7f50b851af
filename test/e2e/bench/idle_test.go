// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
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
	b.ReportMetric((after.cpu-before.cpu).Seconds()/time.Since(begin).Seconds()*1000, "millicores")
	b.ReportMetric(after.resident, "rss-MB")
	b.ReportMetric(after.anonymous, "anonymous-MB")
	b.ReportMetric(after.peak, "peak-rss-MB")
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

// usage is what a process has used and uses.
type usage struct {
	cpu time.Duration
	// In MB: resident memory, the part of it that is not the program's own
	// file, and the most that was ever resident.
	resident, anonymous, peak float64
}

// clockTick is the unit of times in /proc, the same on all Linux platforms that
// Go runs on.
const clockTick = 10 * time.Millisecond

func usageOf(b *testing.B, pid int) usage {
	b.Helper()
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		b.Skipf("reading what process %d uses: %v", pid, err)
	}
	// After the name, which is in parentheses, comes field 3; user and system
	// time are 14 and 15.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var used usage
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		used.cpu += time.Duration(ticks) * clockTick
	}
	file, err := os.Open(filepath.Join(dir, "status"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var name string
		var kilobytes float64
		if _, err := fmt.Sscanf(lines.Text(), "%s %f kB", &name, &kilobytes); err != nil {
			continue
		}
		switch name {
		case "VmRSS:":
			used.resident = kilobytes * 1024 / 1e6
		case "RssAnon:":
			used.anonymous = kilobytes * 1024 / 1e6
		case "VmHWM:":
			used.peak = kilobytes * 1024 / 1e6
		}
	}
	return used
}
