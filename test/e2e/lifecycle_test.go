// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
)

func TestUpgradeAndFailure(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "one")
	kubectl(t, generic(ns, "upgraded-twice", "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "upgraded-twice", v1alpha1.PhaseRunning)
	kubectl(t, generic(ns, "upgraded-twice", "podinfo-lite", "1.1.0", []string{"one"}, ""), "apply", "-f", "-")
	i := waitPhase(t, ns, "upgraded-twice", v1alpha1.PhaseRunning)
	if i.Status.Version != "1.1.0" {
		t.Errorf("version is %s after the upgrade", i.Status.Version)
	}
	if r := helmList(t, s.bed.Targets[0].Kubeconfig)["upgraded-twice/upgraded-twice"]; r.Revision != "2" || r.Status != "deployed" {
		t.Errorf("release is %+v, want the second revision, deployed", r)
	}

	kubectl(t, generic(ns, "stuck", "broken", "1.0.0", []string{"one"}, "    # never ready\n"), "apply", "-f", "-")
	kubectl(t, "", "patch", "integration", "stuck", "-n", ns, "--type=merge", "-p", `{"spec":{"autoInstall":{"timeoutSeconds":10}}}`)
	waitMessage(t, ns, "stuck", v1alpha1.PhaseFailed, "Deployment")
	// A new spec counts at once, whatever went before.
	kubectl(t, "", "patch", "integration", "stuck", "-n", ns, "--type=merge",
		"-p", `{"spec":{"autoInstall":{"timeoutSeconds":60,"helmConfig":{"chart":"podinfo-lite","releaseName":"mended"}}}}`)
	waitPhase(t, ns, "stuck", v1alpha1.PhaseRunning)
}

func TestDisableOrphanAndReconcile(t *testing.T) {
	ns := namespace(t, "one")
	kubeconfig := s.bed.Targets[0].Kubeconfig
	kubectl(t, generic(ns, "kept", "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "kept", v1alpha1.PhaseRunning)

	t.Run("the annotation reconcile has work done", func(t *testing.T) {
		kubectl(t, "", "annotate", "integration", "kept", "-n", ns, "reconcile=now-1", "--overwrite")
		if !poll(t.Context(), eventually, func(ctx context.Context) bool {
			inst, err := s.ksit.KsitV1alpha1().Installations(ns).Get(ctx, "kept.one", metav1.GetOptions{})
			return err == nil && inst.Status.LastReconcileRequest == "now-1" && inst.Status.LastOperation != nil &&
				inst.Status.LastOperation.Outcome == v1alpha1.OperationSucceeded && inst.Status.LastOperation.RequestedBy == whoAmI(t)
		}) {
			t.Error("nothing was done")
		}
		if r := helmList(t, kubeconfig)["kept/kept"]; r.Revision != "1" {
			t.Errorf("nothing had changed, and yet the release is %+v", r)
		}
	})
	t.Run("disabled", func(t *testing.T) {
		kubectl(t, "", "patch", "integration", "kept", "-n", ns, "--type=merge", "-p", `{"spec":{"enabled":false}}`)
		waitPhase(t, ns, "kept", v1alpha1.PhaseDisabled)
		if r := helmList(t, kubeconfig)["kept/kept"]; r.Status != "deployed" {
			t.Errorf("what is installed did not stay: %+v", r)
		}
		kubectl(t, "", "patch", "integration", "kept", "-n", ns, "--type=merge", "-p", `{"spec":{"enabled":true}}`)
		waitPhase(t, ns, "kept", v1alpha1.PhaseRunning)
	})
	t.Run("a release that somebody removed comes back", func(t *testing.T) {
		if out, err := helm(t, kubeconfig, "uninstall", "kept", "-n", "kept", "--wait"); err != nil {
			t.Fatalf("helm uninstall: %v\n%s", err, out)
		}
		if !poll(t.Context(), eventually, func(context.Context) bool { return helmList(t, kubeconfig)["kept/kept"].Status == "deployed" }) {
			t.Error("it did not")
		}
		waitPhase(t, ns, "kept", v1alpha1.PhaseRunning)
	})
	t.Run("orphaned", func(t *testing.T) {
		kubectl(t, "", "patch", "integration", "kept", "-n", ns, "--type=merge", "-p", `{"spec":{"autoInstall":{"deletionPolicy":"Orphan"}}}`)
		kubectl(t, "", "delete", "integration", "kept", "-n", ns, "--timeout=60s")
		if r := helmList(t, kubeconfig)["kept/kept"]; r.Status != "deployed" {
			t.Errorf("what is installed did not stay: %+v", r)
		}
	})
	t.Run("adopted", func(t *testing.T) {
		kubectl(t, generic(ns, "kept", "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
		waitPhase(t, ns, "kept", v1alpha1.PhaseRunning)
		if r := helmList(t, kubeconfig)["kept/kept"]; r.Status != "deployed" {
			t.Errorf("release is %+v", r)
		}
	})
}

// TestMethodIsChanged goes from a chart to manifests: what the chart had
// installed goes, and what the manifests say comes.
func TestMethodIsChanged(t *testing.T) {
	ns := namespace(t, "one")
	kubeconfig := s.bed.Targets[0].Kubeconfig
	kubectl(t, generic(ns, "switch", "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "switch", v1alpha1.PhaseRunning)
	kubectl(t, "", "patch", "integration", "switch", "-n", ns, "--type=merge", "-p",
		`{"spec":{"autoInstall":{"method":"manifest","helmConfig":null,"manifestConfig":{"manifests":"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: told}\n"}}}}`)
	waitPhase(t, ns, "switch", v1alpha1.PhaseRunning)
	if r, there := helmList(t, kubeconfig)["switch/switch"]; there {
		t.Errorf("the release is still there: %+v", r)
	}
	if out, err := tryKubectl(t.Context(), kubeconfig, "", "get", "configmap", "told", "-n", "switch"); err != nil {
		t.Errorf("the manifests were not applied: %s", out)
	}
	kubectl(t, "", "delete", "integration", "switch", "-n", ns, "--timeout=60s")
	if out, err := tryKubectl(t.Context(), kubeconfig, "", "get", "configmap", "told", "-n", "switch", "--ignore-not-found"); err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("left after the uninstall: %s", out)
	}
}

func TestReleaseBelongsToOne(t *testing.T) {
	ns := namespace(t, "one")
	kubectl(t, generic(ns, "first", "podinfo-lite", "1.0.0", []string{"one"}, "      releaseName: shared\n  config: {namespace: shared}\n"), "apply", "-f", "-")
	waitPhase(t, ns, "first", v1alpha1.PhaseRunning)
	kubectl(t, generic(ns, "second", "podinfo-lite", "2.0.0", []string{"one"}, "      releaseName: shared\n  config: {namespace: shared}\n"), "apply", "-f", "-")
	waitMessage(t, ns, "second", v1alpha1.PhaseFailed, "first")
	kubectl(t, "", "delete", "integration", "second", "-n", ns, "--timeout=60s")
	if r := helmList(t, s.bed.Targets[0].Kubeconfig)["shared/shared"]; r.Chart != "podinfo-lite-1.0.0" || r.Status != "deployed" {
		t.Errorf("the release of the first is %+v", r)
	}

	// Nor does deleting an Integration remove what somebody else installed.
	kubeconfig := s.bed.Targets[0].Kubeconfig
	if out, err := helm(t, kubeconfig, "install", "foreign", s.bed.Charts.URL+"/test/podinfo-lite-1.0.0.tgz", "-n", "foreign", "--create-namespace"); err != nil {
		t.Fatalf("helm install: %v\n%s", err, out)
	}
	kubectl(t, generic(ns, "foreign", "crd-then-cr", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	waitMessage(t, ns, "foreign", v1alpha1.PhaseFailed, "podinfo-lite")
	kubectl(t, "", "delete", "integration", "foreign", "-n", ns, "--timeout=60s")
	if r := helmList(t, kubeconfig)["foreign/foreign"]; r.Status != "deployed" || r.Revision != "1" {
		t.Errorf("the release of somebody else is %+v", r)
	}
}

// TestTargetVanishes stops the API server of a target: what was on it is
// Unknown, the others go on, and all is well when it is back.
func TestTargetVanishes(t *testing.T) {
	ns := namespace(t)
	register(t, ns, "stays", s.bed.Targets[0].Kubeconfig)
	register(t, ns, "goes", s.bed.Targets[2].Kubeconfig)
	kubectl(t, generic(ns, "both", "podinfo-lite", "1.0.0", []string{"stays", "goes"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "both", v1alpha1.PhaseRunning)

	target := s.bed.Targets[2]
	if err := target.Kill(bed.APIServer); err != nil {
		t.Fatal(err)
	}
	down := true
	t.Cleanup(func() {
		if !down {
			return
		}
		if err := target.Start(s.ctx, bed.APIServer); err != nil {
			t.Errorf("starting the target again: %v", err)
		}
	})
	waitMessage(t, ns, "both", v1alpha1.PhaseUnknown, "goes")
	kubectl(t, generic(ns, "other", "podinfo-lite", "1.0.0", []string{"stays"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "other", v1alpha1.PhaseRunning)

	kubectl(t, "", "delete", "integration", "both", "-n", ns, "--wait=false")
	waitMessage(t, ns, "both", v1alpha1.PhaseUninstalling, "deletionPolicy")
	if err := target.Start(t.Context(), bed.APIServer); err != nil {
		t.Fatal(err)
	}
	down = false
	gone(t, ns, "both")
	if r, there := helmList(t, target.Kubeconfig)["both/both"]; there {
		t.Errorf("left on the target that came back: %+v", r)
	}
}

// TestNamespaceDeletion deletes a namespace that holds everything at once, the
// kubeconfigs included.
func TestNamespaceDeletion(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "one")
	kubectl(t, generic(ns, "inside", "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "inside", v1alpha1.PhaseRunning)
	start := time.Now()
	kubectl(t, "", "delete", "namespace", ns, "--timeout=150s")
	t.Logf("the namespace was gone after %s", time.Since(start).Round(time.Millisecond))
	if r, there := helmList(t, s.bed.Targets[0].Kubeconfig)["inside/inside"]; there {
		t.Errorf("left on the target: %+v", r)
	}
}

// TestTargetInUse deletes a target that something is installed on: it waits,
// and says for whom.
func TestTargetInUse(t *testing.T) {
	ns := namespace(t, "one")
	kubectl(t, generic(ns, "user", "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "user", v1alpha1.PhaseRunning)
	kubectl(t, "", "delete", "integrationtarget", "one", "-n", ns, "--wait=false")
	waitTarget(t, ns, "one", metav1.ConditionTrue, "user")
	kubectl(t, "", "delete", "integration", "user", "-n", ns, "--timeout=60s")
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		_, err := s.ksit.KsitV1alpha1().IntegrationTargets(ns).Get(ctx, "one", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}) {
		t.Error("the target is still there")
	}
}

// TestSelector installs on whatever carries a label, and takes nothing away
// when the selector suddenly matches nothing.
func TestSelector(t *testing.T) {
	ns := namespace(t, "one", "two")
	manifest := selected(generic(ns, "fleet", "podinfo-lite", "1.0.0", nil, ""), "stage: prod")
	kubectl(t, manifest, "apply", "-f", "-")
	waitMessage(t, ns, "fleet", v1alpha1.PhasePending, "matches no")
	kubectl(t, "", "label", "integrationtarget", "one", "two", "-n", ns, "stage=prod")
	if i := waitPhase(t, ns, "fleet", v1alpha1.PhaseRunning); i.Status.Healthy != 2 {
		t.Errorf("runs on %d targets", i.Status.Healthy)
	}
	kubectl(t, "", "label", "integrationtarget", "two", "-n", ns, "stage-")
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		_, err := s.ksit.KsitV1alpha1().Installations(ns).Get(ctx, "fleet.two", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}) {
		t.Error("still installed where the label was taken away")
	}
	kubectl(t, "", "label", "integrationtarget", "one", "-n", ns, "stage-")
	waitMessage(t, ns, "fleet", v1alpha1.PhaseRunning, "is kept")
	if r := helmList(t, s.bed.Targets[0].Kubeconfig)["fleet/fleet"]; r.Status != "deployed" {
		t.Errorf("a selector that matches nothing uninstalled: %+v", r)
	}
}

// gone waits until an Integration is deleted.
func gone(t testing.TB, ns, name string) {
	t.Helper()
	var last *v1alpha1.Integration
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		i, err := s.ksit.KsitV1alpha1().Integrations(ns).Get(ctx, name, metav1.GetOptions{})
		if err == nil {
			last = i
		}
		return apierrors.IsNotFound(err)
	}) {
		t.Fatalf("Integration %s/%s is still there:\n%s", ns, name, describe(t, ns, last))
	}
}
