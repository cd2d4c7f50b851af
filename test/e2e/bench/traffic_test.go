// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"ksit.io/ksit/test/bed"
)

// auditedUser is whom KSIT is on the targets whose requests are counted.
const auditedUser = "ksit-audited"

// watchTraffic is how long requests are counted: several intervals of probing.
const watchTraffic = 3 * time.Minute

// BenchmarkIdleTraffic counts what KSIT asks of a target while the four
// Integrations of the user's guide are Running on two and nothing changes: by
// verb and resource, as the API servers of the targets wrote it down.
func BenchmarkIdleTraffic(b *testing.B) {
	on := newBed(b, bed.Options{Targets: 2, PrometheusOperator: true})
	run := startServer(b, on)
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
	integrations := samples(b, "argocd", "prometheus", "istio", "flux")
	if _, err := untilRunning(b.Context(), client, integrations...); err != nil {
		b.Fatalf("%v\n%s", err, run.Process.LogTail(20))
	}
	time.Sleep(settle)
	begin := time.Now()
	time.Sleep(watchTraffic)
	for _, target := range on.Targets {
		requests, err := target.AuditedRequests(auditedUser, begin)
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("%s, requests per minute:\n%s", target.Name, trafficTable(requests, watchTraffic))
		b.ReportMetric(float64(len(requests))/watchTraffic.Minutes(), target.Name+"-requests/min")
	}
	reportLoad(b)
}

// trafficTable is a table in Markdown, the most frequent first.
func trafficTable(requests []bed.Request, over time.Duration) string {
	type kind struct{ verb, resource string }
	counts := map[kind]int{}
	for _, r := range requests {
		verb := r.Verb
		if r.DryRun {
			verb += " (dry run)"
		}
		counts[kind{verb, r.Resource}]++
	}
	kinds := slices.SortedFunc(maps.Keys(counts), func(a, b kind) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a.verb+a.resource, b.verb+b.resource))
	})
	var table strings.Builder
	fmt.Fprintf(&table, "| verb | resource | per minute |\n|---|---|--:|\n")
	for _, k := range kinds {
		fmt.Fprintf(&table, "| %s | `%s` | %.1f |\n", k.verb, k.resource, float64(counts[k])/over.Minutes())
	}
	fmt.Fprintf(&table, "| all | | %.1f |\n", float64(len(requests))/over.Minutes())
	return table.String()
}
