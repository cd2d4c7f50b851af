// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestMetricsShowHowThingsStand has Integrations in several phases, on targets in
// several states, and asks the metrics for each of them. With KSIT_SCRAPES it
// keeps what was scraped in that directory, for the tests of dashboards and
// alerts.
func TestMetricsShowHowThingsStand(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "one", "rests")
	lost := registerRelayed(t, ns, "lost", s.bed.Targets[1])
	kubectl(t, generic(ns, "watched", "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	kubectl(t, generic(ns, "cut-off", "podinfo-lite", "1.0.0", []string{"lost"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "watched", v1alpha1.PhaseRunning)
	waitPhase(t, ns, "cut-off", v1alpha1.PhaseRunning)

	kubectl(t, "", "patch", "integrationtarget", "rests", "-n", ns, "--type=merge", "-p", `{"spec":{"suspend":true}}`)
	must(t, lost.Refuse())
	// Pods that do not count as ready for eight minutes, and no retry.
	kubectl(t, generic(ns, "spent", "podinfo-lite", "1.0.0", []string{"one"},
		"      values: {minReadySeconds: \"500\"}\n    remediation: {retries: 0}\n"), "apply", "-f", "-")
	patch(t, ns, "spent", `{"spec":{"autoInstall":{"timeoutSeconds":10}}}`)
	kubectl(t, generic(ns, "lonely", "podinfo-lite", "1.0.0", []string{"nowhere"}, ""), "apply", "-f", "-")
	kubectl(t, strings.Replace(generic(ns, "switched-off", "podinfo-lite", "1.0.0", []string{"one"}, ""),
		"  targetClusters", "  enabled: false\n  targetClusters", 1), "apply", "-f", "-")
	if out, err := tryKubectl(t.Context(), s.bed.Targets[0].Kubeconfig, "", "scale", "deployment", "watched", "-n", "watched", "--replicas=7"); err != nil {
		t.Fatalf("changing by hand what was applied: %v\n%s", err, out)
	}
	waitCondition(t, ns, "watched.one", v1alpha1.ConditionDrifted, metav1.ConditionTrue, "Drifted")
	waitCondition(t, ns, "spent.one", v1alpha1.ConditionStalled, metav1.ConditionTrue, "NotReady")
	waitPhase(t, ns, "cut-off", v1alpha1.PhaseUnknown)
	waitPhase(t, ns, "switched-off", v1alpha1.PhaseDisabled)
	waitPhase(t, ns, "lonely", v1alpha1.PhasePending)

	phase := func(name string, phase v1alpha1.Phase) series {
		return series{"ksit_integration_phase", labelled("namespace", ns, "integration", name, "type", "generic", "phase", string(phase)), 1}
	}
	target := func(metric, name string, value float64) series {
		return series{metric, labelled("namespace", ns, "target", name), value}
	}
	wanted := []series{
		phase("watched", v1alpha1.PhaseRunning), phase("spent", v1alpha1.PhaseFailed), phase("cut-off", v1alpha1.PhaseUnknown),
		phase("switched-off", v1alpha1.PhaseDisabled), phase("lonely", v1alpha1.PhasePending),
		{"ksit_integration_phase", labelled("namespace", ns), 5},
		{"ksit_integration_installations", labelled("namespace", ns, "integration", "cut-off", "phase", "Unknown"), 1},
		{"ksit_integration_installations_stalled", labelled("namespace", ns), 1},
		{"ksit_integration_installations_drifted", labelled("namespace", ns), 1},
		target("ksit_cluster_connection_status", "one", 1),
		target("ksit_cluster_connection_status", "lost", 0),
		{"ksit_leader", nil, 1},
		{"ksit_build_info", nil, 1},
		{"ksit_operation_slots", nil, 10},
	}
	atLeast := []series{
		{"ksit_integrations", labelled("phase", "Failed", "type", "generic"), 1},
		{"ksit_installations", labelled("phase", "Running", "type", "generic"), 1},
		{"ksit_targets", labelled("state", "suspended"), 1},
		{"ksit_targets", labelled("state", "unready"), 1},
		{"ksit_autoinstall_duration_seconds_count", labelled("type", "generic", "method", "helm"), 2},
		{"ksit_autoinstall_failure_total", labelled("type", "generic", "reason", "NotReady"), 1},
		target("ksit_cluster_last_probe_timestamp_seconds", "lost", 1),
		target("ksit_cluster_latency_seconds", "one", 1e-6),
		target("ksit_cluster_credentials_expiration_timestamp_seconds", "one", 1),
	}
	var scraped, wrong string
	if !poll(t.Context(), eventually, func(context.Context) bool {
		scraped, wrong = s.metrics(t), ""
		for _, want := range wanted {
			if got := sum(scraped, want.name, want.labels); got != want.value {
				wrong += fmt.Sprintf("%s is %v, want %v\n", want.name, got, want.value)
			}
		}
		for _, want := range atLeast {
			if got := sum(scraped, want.name, want.labels); got < want.value {
				wrong += fmt.Sprintf("%s is %v, want at least %v\n", want.name, got, want.value)
			}
		}
		// What is not looked at has no series that would only be old.
		if strings.Contains(scraped, fmt.Sprintf("namespace=%q,target=%q", ns, "rests")) {
			wrong += "the suspended target has series\n"
		}
		return wrong == ""
	}) {
		t.Errorf("metrics:\n%s", wrong)
	}
	keepScrape(t, "server-1", scraped)
	// Something happens between the two, in every controller.
	kubectl(t, "", "annotate", "integration", "watched", "-n", ns, "reconcile=again")
	again := scraped
	if !poll(t.Context(), eventually, func(context.Context) bool {
		again = s.metrics(t)
		return !slices.ContainsFunc([]string{"integration", "target", "installation", "operation"}, func(controller string) bool {
			const name = "ksit_integration_reconcile_duration_seconds_count"
			return sum(again, name, labelled("controller", controller)) <= sum(scraped, name, labelled("controller", controller))
		})
	}) {
		t.Error("a controller does nothing")
	}
	keepScrape(t, "server-2", again)
}

// series is what a metric with these labels must add up to.
type series struct {
	name   string
	labels func(map[string]string) bool
	value  float64
}

// labelled takes the labels that have these values.
func labelled(pairs ...string) func(map[string]string) bool {
	return func(labels map[string]string) bool {
		for n := 0; n < len(pairs); n += 2 {
			if labels[pairs[n]] != pairs[n+1] {
				return false
			}
		}
		return true
	}
}

// keepScrape keeps what was scraped, where somebody asked for that.
func keepScrape(t testing.TB, name, scraped string) {
	t.Helper()
	dir := os.Getenv("KSIT_SCRAPES")
	if dir == "" {
		return
	}
	must(t, os.MkdirAll(dir, 0o750))
	must(t, os.WriteFile(filepath.Join(dir, name+".prom"), []byte(scraped), 0o600))
}
