// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestDependsOn has the second of two Integrations wait for the first, on each
// target, and say so; and a circle refused.
func TestDependsOn(t *testing.T) {
	ns := namespace(t, "one", "two")
	kubectl(t, generic(ns, "second", "podinfo-lite", "1.0.0", []string{"one", "two"}, "  dependsOn: [{name: first}]\n"), "apply", "-f", "-")
	waitMessage(t, ns, "second", v1alpha1.PhasePending, "first")
	kubectl(t, generic(ns, "first", "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "first", v1alpha1.PhaseRunning)
	waitInstallation(t, ns, "second.one", "Running", func(i *v1alpha1.Installation) bool { return i.Status.Phase == v1alpha1.PhaseRunning })
	waitMessage(t, ns, "second", v1alpha1.PhasePending, "two")
	kubectl(t, "", "patch", "integration", "first", "-n", ns, "--type=merge", "-p", `{"spec":{"targetClusters":["one","two"]}}`)
	waitPhase(t, ns, "second", v1alpha1.PhaseRunning)

	refused(t, generic(ns, "first", "podinfo-lite", "1.0.0", []string{"one", "two"}, "  dependsOn: [{name: second}]\n"), "first → second → first")
	refused(t, generic(ns, "self", "podinfo-lite", "1.0.0", []string{"one"}, "  dependsOn: [{name: self}]\n"), "dependsOn")
}

// TestRollout changes one cluster after the other, the canary first, and stops
// at the first failure.
func TestRollout(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "one", "two", "three")
	kubectl(t, "", "label", "integrationtarget", "two", "-n", ns, "ring=canary")
	const rollout = `  rollout:
    maxConcurrent: 1
    partitions:
    - {name: canary, targetSelector: {matchLabels: {ring: canary}}, soakSeconds: 1}
`
	kubectl(t, generic(ns, "ringed", "podinfo-lite", "1.0.0", []string{"one", "two", "three"}, rollout), "apply", "-f", "-")
	waitPhase(t, ns, "ringed", v1alpha1.PhaseRunning)

	// The canary fails: nobody else gets it, and all others run on.
	patch(t, ns, "ringed", `{"spec":{"autoInstall":{"timeoutSeconds":10,"remediation":{"retries":0},"helmConfig":{"version":"1.1.0","values":{"minReadySeconds":"500"}}}}}`)
	waitMessage(t, ns, "ringed", v1alpha1.PhaseFailed, "two")
	waitCondition(t, ns, "ringed.two", v1alpha1.ConditionRemediated, metav1.ConditionTrue, "RolledBack")
	for n, name := range []string{"one", "two", "three"} {
		if r := helmList(t, s.bed.Targets[n].Kubeconfig)["ringed/ringed"]; r.Chart != "podinfo-lite-1.0.0" || r.Status != "deployed" {
			t.Errorf("on %s the release is %+v, want what ran before", name, r)
		}
	}
	for _, name := range []string{"ringed.one", "ringed.three"} {
		i, err := s.ksit.KsitV1alpha1().Installations(ns).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || i.Spec.WaitsFor == "" || i.Status.Phase != v1alpha1.PhaseRunning {
			t.Errorf("%s: waits for %q in phase %s (%v)", name, i.Spec.WaitsFor, i.Status.Phase, err)
		}
	}

	// Paused, nothing moves; let go, all get the version that works.
	patch(t, ns, "ringed", `{"spec":{"rollout":{"paused":true},"autoInstall":{"timeoutSeconds":60,"helmConfig":{"values":{"minReadySeconds":null}}}}}`)
	waitIntegration(t, ns, "ringed", func(i *v1alpha1.Integration) bool {
		return i.Status.ObservedGeneration == i.Generation && strings.Contains(i.Status.Message, "paused")
	})
	patch(t, ns, "ringed", `{"spec":{"rollout":{"paused":false}}}`)
	i := waitPhase(t, ns, "ringed", v1alpha1.PhaseRunning)
	if i.Status.Version != "1.1.0" || i.Status.Updated != 3 {
		t.Errorf("version %s, %d updated", i.Status.Version, i.Status.Updated)
	}
}

// TestRangeIsPinned resolves a range once, and tells of what is newer.
func TestRangeIsPinned(t *testing.T) {
	ns := namespace(t, "one", "two")
	kubectl(t, generic(ns, "ranged", "podinfo-lite", "~1.0", []string{"one"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "ranged", v1alpha1.PhaseRunning)
	i := waitIntegration(t, ns, "ranged", func(i *v1alpha1.Integration) bool { return i.Status.ResolvedChart != nil })
	if r := i.Status.ResolvedChart; r.Version != "1.0.0" || r.Range != "~1.0" {
		t.Errorf("resolved to %+v", r)
	}
	waitIntegration(t, ns, "ranged", func(i *v1alpha1.Integration) bool { return i.Status.ResolvedChart.Newest == "2.0.0" })
	inst, err := s.ksit.KsitV1alpha1().Installations(ns).Get(t.Context(), "ranged.one", metav1.GetOptions{})
	if err != nil || inst.Spec.AutoInstall.HelmConfig.Version != "1.0.0" {
		t.Errorf("the Installation has version %q (%v)", inst.Spec.AutoInstall.HelmConfig.Version, err)
	}
}

func waitIntegration(t testing.TB, namespace, name string, done func(*v1alpha1.Integration) bool) *v1alpha1.Integration {
	t.Helper()
	var last *v1alpha1.Integration
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		i, err := s.ksit.KsitV1alpha1().Integrations(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return apierrors.IsNotFound(err) && done(nil)
		}
		last = i
		return done(i)
	}) {
		t.Fatalf("Integration %s/%s is not as it should be:\n%s", namespace, name, describe(t, namespace, last))
	}
	return last
}
