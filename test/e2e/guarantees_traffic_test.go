// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
)

// The bounds on what KSIT asks of a target at rest, for each time that it probes
// the target: for the target itself, and for each Installation on it.
const (
	requestsPerTarget       = 12
	requestsPerInstallation = 12
)

// TestIdleTrafficIsBounded counts the requests to a target on which everything
// runs and nothing changes, by the target's own record of them. Nothing is
// written, and the rest is bounded by the number of probes.
func TestIdleTrafficIsBounded(t *testing.T) {
	const apps = 4
	const interval = 5 * time.Second // As targetManifest has it, less a tenth of jitter.
	ns := namespace(t)
	target := s.bed.Targets[1]
	user := ns + "-idle"
	kubeconfig, err := target.AuditedKubeconfig(user)
	must(t, err)
	registerContent(t, ns, "idle", kubeconfig)
	for n := range apps {
		kubectl(t, generic(ns, fmt.Sprintf("idle-%d", n), "podinfo-lite", "1.0.0", []string{"idle"}, ""), "apply", "-f", "-")
	}
	for n := range apps {
		waitPhase(t, ns, fmt.Sprintf("idle-%d", n), v1alpha1.PhaseRunning)
	}
	quiet(t)

	begin := time.Now()
	time.Sleep(restFor)
	requests, err := target.AuditedRequests(user, begin)
	must(t, err)
	took := time.Since(begin)
	t.Logf("%d requests in %s with %d Installations, probed every %s:\n%s", len(requests), took.Round(time.Second), apps, interval, countKinds(requests))
	for _, r := range requests {
		if !slices.Contains([]string{"get", "list", "watch"}, r.Verb) && !dryRun(r) {
			t.Errorf("something was written: %s %s %s/%s", r.Verb, r.Resource, r.Namespace, r.Name)
		}
	}
	probed := float64(took)/float64(interval*9/10) + 1
	if bound := probed * (requestsPerTarget + apps*requestsPerInstallation); float64(len(requests)) > bound {
		t.Errorf("more than %.0f requests in %.1f probes", bound, probed)
	}
	if len(requests) == 0 {
		t.Error("no requests were counted: nothing is proven")
	}
}

// dryRun tells whether a request only asked what would be: whether the caller
// may do something, or what an apply would change.
func dryRun(r bed.Request) bool {
	return strings.HasPrefix(r.Resource, "selfsubject") || r.DryRun
}

// TestIndexIsNotFetchedAgain installs and upgrades from one repository: its index
// is downloaded once at most, and asked for conditionally after that.
func TestIndexIsNotFetchedAgain(t *testing.T) {
	ns := namespace(t, "one", "two")
	charts := s.bed.Charts.Server
	charts.ResetRequests()
	for _, version := range []string{"1.0.0", "1.1.0"} {
		for n := range 3 {
			kubectl(t, generic(ns, fmt.Sprintf("indexed-%d", n), "podinfo-lite", version, []string{"one", "two"}, ""), "apply", "-f", "-")
		}
		for n := range 3 {
			waitPhase(t, ns, fmt.Sprintf("indexed-%d", n), v1alpha1.PhaseRunning)
		}
	}
	const index = "/test/index.yaml"
	all, unchanged := charts.Requests(index), charts.Unchanged(index)
	t.Logf("12 installs and upgrades asked for the index %d times, %d of them in vain", all, unchanged)
	if all-unchanged > 1 {
		t.Errorf("the index was downloaded %d times", all-unchanged)
	}
	if n := charts.Requests("/test/podinfo-lite-1.1.0.tgz"); n > 1 {
		t.Errorf("the chart was downloaded %d times", n)
	}
}

// countKinds counts requests by verb and resource.
func countKinds(requests []bed.Request) string {
	counts := map[string]int{}
	for _, r := range requests {
		counts[r.Verb+" "+r.Resource]++
	}
	var lines strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&lines, "%6d %s\n", counts[kind], kind)
	}
	return lines.String()
}
