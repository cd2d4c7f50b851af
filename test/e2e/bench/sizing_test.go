// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/test/bed"
	"ksit.io/ksit/test/e2e/internal/poll"
	"ksit.io/ksit/test/e2e/usage"
)

// sizingRest is how long KSIT is left alone before it is measured, and how long it is
// measured then: more than an interval between probes.
const sizingRest = 45 * time.Second

// fleets are what KSIT is measured with, the smaller first: Integrations, each on
// the first clusters of the bed.
var fleets = []struct {
	name                  string
	integrations, targets int
}{
	{"empty", 0, 0},
	{"50-on-2", 50, 2},
	{"200-on-3", 200, 3},
}

// sized is a KSIT that is measured: the processes by their commands, and where the
// metrics of its API and its etcd are.
type sized struct {
	processes map[string]int
	metrics   *rest.Config
}

// BenchmarkSizing measures what KSIT needs by the size of the fleet, as one process
// and as two: memory, CPU, requests to each target, and the size of the embedded
// etcd. Each Integration is a release of three objects on each target. KSIT_FLEETS is
// how many of the fleets are measured, all of them by default. Only on Linux.
func BenchmarkSizing(b *testing.B) {
	b.Run("server", func(b *testing.B) {
		on := newBed(b, bed.Options{Targets: 3})
		run := startServer(b, on)
		measureFleets(b, on, sized{map[string]int{"server": run.Process.Pid()}, directConfig(on, run)})
	})
	b.Run("processes", func(b *testing.B) {
		on := newBed(b, bed.Options{Targets: 3})
		run := startAPIServer(b, on)
		manager := startControllerManager(b, on)
		measureFleets(b, on, sized{map[string]int{"apiserver": run.Process.Pid(), "controller-manager": manager.Pid()}, directConfig(on, run)})
	})
}

func measureFleets(b *testing.B, on *bed.Bed, k sized) {
	client := ksitClient(b, on)
	for _, target := range on.Targets {
		kubeconfig, err := target.AuditedKubeconfig(auditedUser)
		if err != nil {
			b.Fatal(err)
		}
		if err := on.RegisterKubeconfig(b.Context(), system, target, kubeconfig); err != nil {
			b.Fatal(err)
		}
	}
	measured := len(fleets)
	if given := os.Getenv("KSIT_FLEETS"); given != "" {
		var err error
		if measured, err = strconv.Atoi(given); err != nil || measured < 1 || measured > len(fleets) {
			b.Fatalf("KSIT_FLEETS is %s, and there are %d", given, len(fleets))
		}
	}
	have := 0
	for _, fleet := range fleets[:measured] {
		var added []*v1alpha1.Integration
		for ; have < fleet.integrations; have++ {
			added = append(added, podinfoOn(have, on.Targets[:fleet.targets]))
		}
		took, err := untilRunning(b.Context(), client, added...)
		if err != nil {
			b.Fatal(err)
		}
		if err := spread(b.Context(), client, on.Targets[:fleet.targets]); err != nil {
			b.Fatal(err)
		}
		if fleet.integrations > 0 {
			b.ReportMetric(took.Seconds(), fleet.name+"-install-s")
		}
		k.measure(b, on, fleet.name, have*fleet.targets)
	}
	reportLoad(b)
}

// measure leaves KSIT alone for a while, and then looks at what it uses.
func (k sized) measure(b *testing.B, on *bed.Bed, fleet string, installations int) {
	b.Helper()
	time.Sleep(sizingRest)
	begin := time.Now()
	before := map[string]usage.Usage{}
	for command, pid := range k.processes {
		before[command] = usageOf(b, pid)
	}
	time.Sleep(sizingRest)
	took := time.Since(begin)
	for command, pid := range k.processes {
		after, prefix := usageOf(b, pid), fleet+"-"+command
		b.ReportMetric((after.CPU-before[command].CPU).Seconds()/took.Seconds()*1000, prefix+"-millicores")
		b.ReportMetric(after.Anonymous, prefix+"-anonymous-MB")
		b.ReportMetric(after.Resident-after.Anonymous, prefix+"-file-MB")
		b.ReportMetric(after.Peak, prefix+"-peak-MB")
	}
	requests, err := on.Targets[0].AuditedRequests(auditedUser, begin)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(requests))/took.Seconds(), fleet+"-requests/s")
	if bytes, there := metricOf(b, k.metrics, "ksit_etcd_database_in_use_bytes"); there {
		b.ReportMetric(bytes/1e6, fleet+"-etcd-MB")
		if installations > 0 {
			b.ReportMetric(bytes/1e6/float64(installations)*1000, fleet+"-etcd-MB/1000-installations")
		}
	}
}

// podinfoOn is an Integration with a namespace of its own on each target.
func podinfoOn(n int, targets []*bed.Cluster) *v1alpha1.Integration {
	name := fmt.Sprintf("podinfo-%03d", n)
	integration := helmIntegration(name, name, testCharts, "podinfo-lite", "1.0.0", targets[0])
	for _, target := range targets[1:] {
		integration.Spec.TargetClusters = append(integration.Spec.TargetClusters, target.Name)
	}
	return integration
}

// spread has every Integration on all of the targets, and waits until it runs.
func spread(ctx context.Context, client versioned.Interface, targets []*bed.Cluster) error {
	integrations := client.KsitV1alpha1().Integrations(system)
	list, err := integrations.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	var names []string
	for _, target := range targets {
		names = append(names, target.Name)
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"targetClusters": names}})
	if err != nil {
		return err
	}
	for n := range list.Items {
		integration := &list.Items[n]
		if len(integration.Spec.TargetClusters) == len(targets) {
			continue
		}
		if _, err := integrations.Patch(ctx, integration.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("spreading %s: %w", integration.Name, err)
		}
	}
	return poll.Until(ctx, eventually, func(ctx context.Context) error {
		list, err := integrations.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for n := range list.Items {
			if i := &list.Items[n]; i.Status.Phase != v1alpha1.PhaseRunning || int(i.Status.Healthy) != len(targets) {
				return fmt.Errorf("%s is %s on %d targets: %s", i.Name, i.Status.Phase, i.Status.Healthy, i.Status.Message)
			}
		}
		return nil
	})
}

// metricOf reads a metric without labels, where there is one.
func metricOf(b *testing.B, config *rest.Config, name string) (value float64, there bool) {
	b.Helper()
	client, err := rest.HTTPClientFor(rest.CopyConfig(config))
	if err != nil {
		b.Fatal(err)
	}
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, config.Host+"/metrics", nil)
	if err != nil {
		b.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		b.Fatalf("the metrics: %s: %s", response.Status, text)
	}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), name+" "); found {
			if _, err := fmt.Sscan(rest, &value); err != nil {
				b.Fatalf("%s: %v", name, err)
			}
			return value, true
		}
	}
	return 0, false
}
