// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// hour is a timeout far above what a test waits: whatever ends in time did not
// wait for it.
const hour = "timeoutSeconds: 3600"

// TestFixIsAppliedAtOnce pushes a fix while an install waits for what will never
// be ready: nobody waits for the timeout.
func TestFixIsAppliedAtOnce(t *testing.T) {
	ns := namespace(t, "one")
	manifest := strings.Replace(generic(ns, "waits", "broken", "1.0.0", []string{"one"}, ""), "timeoutSeconds: 60", hour, 1)
	kubectl(t, manifest, "apply", "-f", "-")
	waitInstallation(t, ns, "waits.one", "waiting", func(i *v1alpha1.Installation) bool {
		return i.Status.LastOperation != nil && i.Status.LastOperation.Outcome == v1alpha1.OperationRunning
	})
	deploymentThere(t, "waits")
	kubectl(t, manifest+"      values: {broken: \"false\"}\n", "apply", "-f", "-")
	waitPhase(t, ns, "waits", v1alpha1.PhaseRunning)
	if err := sound(history(t, s.bed.Targets[0], "waits")); err != nil {
		t.Error(err)
	}

	t.Run("and so is a deletion", func(t *testing.T) {
		kubectl(t, strings.ReplaceAll(manifest, "waits", "regretted"), "apply", "-f", "-")
		deploymentThere(t, "regretted")
		kubectl(t, "", "delete", "integration", "regretted", "-n", ns, "--timeout=150s")
		if revisions := history(t, s.bed.Targets[0], "regretted"); len(revisions) > 0 {
			t.Errorf("left: %+v", revisions)
		}
	})
}

// TestSlowTargetHoldsUpNobody keeps more installs waiting on one target than
// there are workers, and others hanging on a network that swallows everything:
// installs elsewhere go on.
func TestSlowTargetHoldsUpNobody(t *testing.T) {
	// One more than the default of --workers.
	const waiting = 11
	ns := namespace(t, "slow", "quick")
	t.Run("installs that wait", func(t *testing.T) {
		for n := range waiting {
			name := fmt.Sprintf("slow-%d", n)
			kubectl(t, strings.Replace(generic(ns, name, "broken", "1.0.0", []string{"slow"}, ""), "timeoutSeconds: 60", hour, 1), "apply", "-f", "-")
		}
		deploymentThere(t, "slow-0")
		kubectl(t, generic(ns, "quick-0", "podinfo-lite", "1.0.0", []string{"quick"}, ""), "apply", "-f", "-")
		waitPhase(t, ns, "quick-0", v1alpha1.PhaseRunning)
	})
	// Also when that failed, or the next would fail for it.
	kubectl(t, "", "delete", "integrations", "--all", "-n", ns, "--timeout=150s")
	t.Run("a network that swallows everything", func(t *testing.T) {
		relay := registerRelayed(t, ns, "frozen", s.bed.Targets[2])
		kubectl(t, generic(ns, "before", "podinfo-lite", "1.0.0", []string{"frozen"}, ""), "apply", "-f", "-")
		waitPhase(t, ns, "before", v1alpha1.PhaseRunning)
		must(t, relay.Freeze())
		for n := range waiting {
			name := fmt.Sprintf("hangs-%d", n)
			kubectl(t, strings.Replace(generic(ns, name, "podinfo-lite", "1.0.0", []string{"frozen"}, ""), "timeoutSeconds: 60", hour, 1), "apply", "-f", "-")
		}
		kubectl(t, generic(ns, "quick-1", "podinfo-lite", "1.0.0", []string{"quick"}, ""), "apply", "-f", "-")
		waitPhase(t, ns, "quick-1", v1alpha1.PhaseRunning)
		must(t, relay.Pass())
		for n := range waiting {
			waitPhase(t, ns, fmt.Sprintf("hangs-%d", n), v1alpha1.PhaseRunning)
		}
	})
}

// deploymentThere waits until the Deployment of an Integration is on the first
// target: its install is then in the middle.
func deploymentThere(t testing.TB, name string) {
	t.Helper()
	out, err := tryKubectl(t.Context(), s.bed.Targets[0].Kubeconfig, "", "wait", "--for=create", "deployment/"+name, "-n", name, "--timeout=120s")
	if err != nil {
		t.Fatalf("there is no Deployment %s: %v\n%s", name, err, out)
	}
}
