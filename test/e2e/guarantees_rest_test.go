// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// restFor is how long KSIT is watched at rest: several of the intervals of five
// seconds in which the targets of these tests are probed.
const restFor = 20 * time.Second

// writing are the verbs of requests that write, by which etcd grows.
var writing = map[string]bool{"POST": true, "PUT": true, "PATCH": true, "DELETE": true, "APPLY": true}

// ksitWrites counts the writes of ksit.io objects so far, status included.
func ksitWrites(metrics string) float64 {
	return sum(metrics, "apiserver_request_total", func(labels map[string]string) bool {
		return labels["group"] == v1alpha1.GroupName && writing[labels["verb"]]
	})
}

// writesByResource says what was written between two readings of the metrics.
func writesByResource(before, after string) map[string]float64 {
	counts := map[string]float64{}
	for verb := range writing {
		for _, resource := range []string{"integrations", "integrationtargets", "installations"} {
			for _, subresource := range []string{"", "status"} {
				of := func(metrics string) float64 {
					return sum(metrics, "apiserver_request_total", func(labels map[string]string) bool {
						return labels["verb"] == verb && labels["resource"] == resource && labels["subresource"] == subresource
					})
				}
				if n := of(after) - of(before); n > 0 {
					counts[verb+" "+resource+"/"+subresource] = n
				}
			}
		}
	}
	return counts
}

// probes counts the reconciles of Installations so far.
func probes(metrics string) float64 {
	return sum(metrics, "ksit_integration_reconcile_duration_seconds_count", func(labels map[string]string) bool {
		return labels["controller"] == "installation"
	})
}

// TestNothingIsWrittenAtRest has probes go on that find nothing new: not one
// object is written for them, and no event.
func TestNothingIsWrittenAtRest(t *testing.T) {
	const apps = 4
	ns := namespace(t, "one", "two")
	for n := range apps {
		kubectl(t, generic(ns, fmt.Sprintf("still-%d", n), "podinfo-lite", "1.0.0", []string{"one", "two"}, ""), "apply", "-f", "-")
	}
	for n := range apps {
		waitPhase(t, ns, fmt.Sprintf("still-%d", n), v1alpha1.PhaseRunning)
	}
	quiet(t)

	before, events := s.metrics(t), eventsIn(t, ns)
	time.Sleep(restFor)
	after := s.metrics(t)
	if n := probes(after) - probes(before); n < apps*2 {
		t.Fatalf("only %.0f probes in %s: nothing is proven", n, restFor)
	}
	if n := ksitWrites(after) - ksitWrites(before); n > 0 {
		t.Errorf("%.0f writes in %s without a change: %v", n, restFor, writesByResource(before, after))
	}
	if n := eventsIn(t, ns) - events; n > 0 {
		t.Errorf("%d events in %s without a change", n, restFor)
	}
}

// TestFlappingTargetIsNoFlood breaks the connections to a target again and again,
// each time for less than its threshold: nothing is written for it.
func TestFlappingTargetIsNoFlood(t *testing.T) {
	ns := namespace(t)
	relay := registerRelayed(t, ns, "flaps", s.bed.Targets[1])
	kubectl(t, generic(ns, "calm", "podinfo-lite", "1.0.0", []string{"flaps"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "calm", v1alpha1.PhaseRunning)
	quiet(t)

	before, events := s.metrics(t), eventsIn(t, ns)
	for range 20 {
		must(t, relay.Refuse())
		time.Sleep(100 * time.Millisecond)
		must(t, relay.Pass())
		time.Sleep(400 * time.Millisecond)
	}
	waitPhase(t, ns, "calm", v1alpha1.PhaseRunning)
	waitTarget(t, ns, "flaps", metav1.ConditionTrue)
	const tolerated = 8
	if n := ksitWrites(s.metrics(t)) - ksitWrites(before); n > tolerated {
		t.Errorf("%.0f writes for 20 short breaks", n)
	}
	if n := eventsIn(t, ns) - events; n > tolerated {
		t.Errorf("%d events for 20 short breaks", n)
	}
}

// quiet waits until what went before has been written.
func quiet(t testing.TB) {
	t.Helper()
	const settled = 5 * time.Second
	namespaces := clientOf(t, s.bed.Host).CoreV1().Namespaces()
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		list, err := namespaces.List(ctx, metav1.ListOptions{})
		return err == nil && !slices.ContainsFunc(list.Items, func(n corev1.Namespace) bool { return n.DeletionTimestamp != nil })
	}) {
		t.Fatal("a namespace of another test does not go")
	}
	last, since := ksitWrites(s.metrics(t)), time.Now()
	if !poll(t.Context(), eventually, func(context.Context) bool {
		if now := ksitWrites(s.metrics(t)); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > settled
	}) {
		t.Fatalf("KSIT never rests: %.0f writes and going on", last)
	}
}

func eventsIn(t testing.TB, ns string) int {
	t.Helper()
	list, err := clientOf(t, s.bed.Host).EventsV1().Events(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, event := range list.Items {
		count++
		if event.Series != nil {
			count += int(event.Series.Count)
		}
	}
	return count
}
