// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestMemoryIsGivenBack registers targets, installs, uninstalls and takes the
// targets away, several times over: what that needed is given back each time.
func TestMemoryIsGivenBack(t *testing.T) {
	const apps, rounds = 5, 3
	round := func() (goroutines, heap float64) {
		ns := namespace(t, "one", "two")
		for n := range apps {
			kubectl(t, generic(ns, fmt.Sprintf("passing-%d", n), "podinfo-lite", "1.0.0", []string{"one", "two"}, ""), "apply", "-f", "-")
		}
		for n := range apps {
			waitPhase(t, ns, fmt.Sprintf("passing-%d", n), v1alpha1.PhaseRunning)
		}
		deleteAll(t, ns)
		s.get(t, "/debug/pprof/heap?gc=1")
		metrics := s.metrics(t)
		return sum(metrics, "go_goroutines", nil), sum(metrics, "go_memstats_heap_alloc_bytes", nil)
	}
	// The first round fills caches, which stay.
	goroutines, heap := round()
	for n := range rounds {
		g, h := round()
		t.Logf("round %d: %.0f goroutines, %.1f MB of heap", n+1, g, h/1e6)
		if n < rounds-1 {
			continue
		}
		if g > goroutines+40 {
			t.Errorf("%.0f goroutines after the first round, and %.0f after %d more", goroutines, g, rounds)
		}
		if h > heap*1.3+16e6 {
			t.Errorf("%.1f MB of heap after the first round, and %.1f after %d more", heap/1e6, h/1e6, rounds)
		}
	}
}

// TestReleaseTooLargeIsRefusedBeforeAnything installs a chart whose record does
// not fit into a Secret: that is said, and the target was not touched.
func TestReleaseTooLargeIsRefusedBeforeAnything(t *testing.T) {
	ns := namespace(t, "one")
	kubectl(t, generic(ns, "toobig", "big", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	waitMessage(t, ns, "toobig", v1alpha1.PhaseFailed, "does not fit")
	i := waitInstallation(t, ns, "toobig.one", "failed", func(i *v1alpha1.Installation) bool { return i.Status.Phase == v1alpha1.PhaseFailed })
	if reason := conditionOf(i, v1alpha1.ConditionInstalled).Reason; reason != "TooLarge" {
		t.Errorf("the reason is %s", reason)
	}
	client := clientOf(t, s.bed.Targets[0])
	maps, err := client.CoreV1().ConfigMaps("toobig").List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=toobig"})
	if err != nil || len(maps.Items) > 0 {
		t.Errorf("%d objects of the chart were applied (%v)", len(maps.Items), err)
	}
	secrets, err := client.CoreV1().Secrets("toobig").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(secrets.Items) > 0 {
		t.Errorf("%d Secrets were left (%v)", len(secrets.Items), err)
	}
}

// TestThousandObjectsInOneRelease installs a release of a thousand objects, and
// takes it away again.
func TestThousandObjectsInOneRelease(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "one")
	manifest := strings.Replace(generic(ns, "thousand", "many", "1.0.0", []string{"one"}, ""), "timeoutSeconds: 60", "timeoutSeconds: 300", 1)
	kubectl(t, manifest, "apply", "-f", "-")
	waitPhase(t, ns, "thousand", v1alpha1.PhaseRunning)
	i := waitInstallation(t, ns, "thousand.one", "installed", func(i *v1alpha1.Installation) bool { return len(i.Status.Releases) == 1 })
	if n := i.Status.Releases[0].Objects; n != 1000 {
		t.Errorf("the status counts %d objects", n)
	}
	if size := sizeOf(t, i); size > 16<<10 {
		t.Errorf("the Installation of a thousand objects has %d bytes", size)
	}
	kubectl(t, "", "delete", "integration", "thousand", "-n", ns, "--timeout=150s")
	maps, err := clientOf(t, s.bed.Targets[0]).CoreV1().ConfigMaps("thousand").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(maps.Items) > 1 { // kube-root-ca.crt
		t.Errorf("%d ConfigMaps are left (%v)", len(maps.Items), err)
	}
}

// TestObjectsStaySmallWithManyTargets spreads an Integration over many targets:
// its status does not grow with them, and each Installation is small.
func TestObjectsStaySmallWithManyTargets(t *testing.T) {
	const few, many = 20, 200
	ns := namespace(t)
	names := make([]string, many)
	for n := range names {
		names[n] = fmt.Sprintf("far-away-%03d", n)
	}
	size := func(targets int) int {
		kubectl(t, generic(ns, "wide", "podinfo-lite", "1.0.0", names[:targets], ""), "apply", "-f", "-")
		if !poll(t.Context(), eventually, func(ctx context.Context) bool {
			list, err := s.ksit.KsitV1alpha1().Installations(ns).List(ctx, metav1.ListOptions{})
			return err == nil && len(list.Items) == targets
		}) {
			t.Fatalf("there are not %d Installations", targets)
		}
		quiet(t)
		i, err := s.ksit.KsitV1alpha1().Integrations(ns).Get(t.Context(), "wide", metav1.GetOptions{})
		must(t, err)
		if i.Status.Targets != int32(targets) {
			t.Errorf("the status counts %d targets, not %d", i.Status.Targets, targets)
		}
		return sizeOf(t, i.Status)
	}
	small := size(few)
	large := size(many)
	t.Logf("the status has %d bytes with %d targets, and %d with %d", small, few, large, many)
	if large > small+1<<10 {
		t.Errorf("the status grew from %d to %d bytes with the targets", small, large)
	}
	list, err := s.ksit.KsitV1alpha1().Installations(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list.Items {
		if n := sizeOf(t, i); n > 8<<10 {
			t.Fatalf("Installation %s has %d bytes", i.Name, n)
		}
	}
	kubectl(t, "", "delete", "integration", "wide", "-n", ns, "--timeout=150s")
}

func sizeOf(t testing.TB, object any) int {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return len(data)
}

func conditionOf(i *v1alpha1.Installation, kind string) metav1.Condition {
	for _, c := range i.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return metav1.Condition{}
}
