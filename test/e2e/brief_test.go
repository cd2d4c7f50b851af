// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const system = "ksit-system"

// TestBrief applies the manifests of the user's own document as they stand
// there, through kubectl, and sees them run.
func TestBrief(t *testing.T) {
	for n, target := range []string{"production-cluster-1", "production-cluster-2"} {
		register(t, system, target, s.bed.Targets[n].Kubeconfig)
	}
	t.Cleanup(func() { deleteAll(t, system) })
	kubectl(t, "", "wait", "integrationtargets", "--all", "-n", system, "--for=condition=Ready", "--timeout=60s")

	samples := map[string]int32{"argocd": 2, "prometheus": 2, "istio": 1, "flux": 2}
	for name := range samples {
		kubectl(t, sample(t, name+".yaml"), "apply", "-f", "-")
	}
	for name, targets := range samples {
		i := waitPhase(t, system, name, v1alpha1.PhaseRunning)
		if i.Status.Targets != targets || i.Status.Installed != targets || i.Status.Healthy != targets || i.Status.Failed != 0 {
			t.Errorf("%s counts %+v, want %d of everything and no failure", name, i.Status, targets)
		}
	}

	t.Run("table", func(t *testing.T) {
		out := kubectl(t, "", "get", "integrations", "-n", system)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if got := strings.Join(strings.Fields(lines[0]), " "); got != "NAME TYPE PHASE TARGETS VERSION AGE" {
			t.Errorf("columns are %q", got)
		}
		for _, want := range []string{"argocd argocd Running 2/2 5.51.6", "prometheus prometheus Running 2/2 55.5.0", "istio istio Running 1/1 1.20.2", "flux flux Running 2/2"} {
			if !strings.Contains(squeeze(out), want) {
				t.Errorf("no line with %q in\n%s", want, out)
			}
		}
		out = kubectl(t, "", "get", "itgt", "-n", system)
		if !strings.Contains(squeeze(out), "production-cluster-1 production-cluster-1 true v1.37.2") {
			t.Errorf("targets are\n%s", out)
		}
	})
	t.Run("field selectors", func(t *testing.T) {
		out := kubectl(t, "", "get", "integrations.ksit.io", "-n", system, "--field-selector", "status.phase=Running", "-o", "name")
		if got := len(strings.Fields(out)); got != len(samples) {
			t.Errorf("%d Integrations are Running:\n%s", got, out)
		}
		if out := kubectl(t, "", "get", "integrations", "-A", "--field-selector", "status.phase=Failed,spec.type=istio", "-o", "name"); strings.TrimSpace(out) != "" {
			t.Errorf("failed: %s", out)
		}
		out = kubectl(t, "", "get", "inst", "-n", system, "--field-selector", "spec.integration=argocd,spec.target=production-cluster-2", "-o", "name")
		if strings.TrimSpace(out) != "installation.ksit.io/argocd.production-cluster-2" {
			t.Errorf("found %s", out)
		}
	})
	t.Run("plain Helm releases", func(t *testing.T) {
		releases := helmList(t, s.bed.Targets[0].Kubeconfig)
		for name, want := range map[string]string{
			"argocd/argocd":           "argo-cd-5.51.6",
			"monitoring/prometheus":   "kube-prometheus-stack-55.5.0",
			"istio-system/istio-base": "base-1.20.2",
			"istio-system/istiod":     "istiod-1.20.2",
			"flux-system/flux2":       "flux2-2.12.4",
		} {
			if got := releases[name]; got.Chart != want || got.Status != "deployed" || got.Revision != "1" {
				t.Errorf("release %s is %+v, want %s, deployed once", name, got, want)
			}
		}
	})
	t.Run("the values mean what --set means", func(t *testing.T) {
		out, err := tryKubectl(t.Context(), s.bed.Targets[0].Kubeconfig, "", "get", "prometheuses", "-n", "monitoring", "-o",
			"jsonpath={.items[0].spec.retention} {.items[0].spec.storage.volumeClaimTemplate.spec.resources.requests.storage}")
		if err != nil || strings.TrimSpace(out) != "30d 50Gi" {
			t.Errorf("retention and storage are %q (%v)", out, err)
		}
	})
	t.Run("events", func(t *testing.T) {
		out := kubectl(t, "", "describe", "installation", "argocd.production-cluster-1", "-n", system)
		if !strings.Contains(out, "Installed") || !strings.Contains(out, "Events:") || strings.Contains(out, "Events:  <none>") {
			t.Errorf("describe shows no events:\n%s", out)
		}
	})
	t.Run("a second apply changes nothing", func(t *testing.T) {
		before := kubectl(t, "", "get", "installations", "-n", system, "-o", "jsonpath={.items[*].status.releases[*].revision}")
		for name := range samples {
			if out := kubectl(t, sample(t, name+".yaml"), "apply", "-f", "-"); !strings.Contains(out, "unchanged") {
				t.Errorf("apply says %s", out)
			}
		}
		if after := kubectl(t, "", "get", "installations", "-n", system, "-o", "jsonpath={.items[*].status.releases[*].revision}"); after != before {
			t.Errorf("revisions went from %s to %s", before, after)
		}
	})
	t.Run("another target", func(t *testing.T) {
		kubectl(t, "", "patch", "integration", "istio", "-n", system, "--type=merge",
			"-p", `{"spec":{"targetClusters":["production-cluster-1","production-cluster-2"]}}`)
		if i := waitPhase(t, system, "istio", v1alpha1.PhaseRunning); i.Status.Healthy != 2 {
			t.Errorf("healthy on %d targets", i.Status.Healthy)
		}
	})
	t.Run("metrics", func(t *testing.T) {
		out := kubectl(t, "", "get", "--raw", "/apis/ksit.io/v1alpha1/integrations")
		if !strings.Contains(out, "IntegrationList") {
			t.Errorf("raw list is %.200s", out)
		}
		metrics := s.metrics(t)
		for _, name := range []string{
			"ksit_integration_reconcile_duration_seconds_count",
			`ksit_cluster_connection_status{namespace="ksit-system",target="production-cluster-1"} 1`,
			"ksit_autoinstall_success_total",
		} {
			if !strings.Contains(metrics, name) {
				t.Errorf("no metric %s", name)
			}
		}
	})
	t.Run("deletion uninstalls", func(t *testing.T) {
		kubectl(t, "", "delete", "integration", "argocd", "-n", system, "--timeout=120s")
		if r, there := helmList(t, s.bed.Targets[0].Kubeconfig)["argocd/argocd"]; there {
			t.Errorf("the release is still there: %+v", r)
		}
		if out, err := tryKubectl(t.Context(), s.bed.Targets[0].Kubeconfig, "", "get", "namespace", "argocd"); err != nil {
			t.Errorf("the namespace on the target was deleted as well: %s", out)
		}
		if out, err := tryKubectl(t.Context(), s.bed.Targets[0].Kubeconfig, "", "get", "crd", "applications.argoproj.io"); err != nil {
			t.Errorf("a CRD was deleted as well: %s", out)
		}
	})
}

// TestFluxByManifest installs Flux from its project's install manifest: its
// CRDs are there before what needs them.
func TestFluxByManifest(t *testing.T) {
	ns := namespace(t)
	register(t, ns, "three", s.bed.Targets[2].Kubeconfig)
	manifest := `
apiVersion: ksit.io/v1alpha1
kind: Integration
metadata: {name: flux, namespace: ` + ns + `}
spec:
  type: flux
  targetClusters: [three]
  autoInstall: {enabled: true, method: manifest}
`
	kubectl(t, manifest, "apply", "-f", "-")
	waitPhase(t, ns, "flux", v1alpha1.PhaseRunning)
	out, err := tryKubectl(t.Context(), s.bed.Targets[2].Kubeconfig, "", "get", "deployments", "-n", "flux-system", "-o", "name")
	if err != nil || !strings.Contains(out, "source-controller") {
		t.Errorf("deployments: %s (%v)", out, err)
	}
	kubectl(t, "", "delete", "integration", "flux", "-n", ns, "--timeout=120s")
	if out, err := tryKubectl(t.Context(), s.bed.Targets[2].Kubeconfig, "", "get", "deployments", "-n", "flux-system", "-o", "name"); err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("after the uninstall there are still %s (%v)", out, err)
	}
}

// deleteAll leaves a namespace without objects of KSIT.
func deleteAll(t *testing.T, ns string) {
	t.Helper()
	for _, kind := range []string{"integrations", "integrationtargets"} {
		if out, err := tryKubectl(s.ctx, s.bed.Host.Kubeconfig, "", "delete", kind, "--all", "-n", ns, "--timeout=150s"); err != nil {
			t.Errorf("deleting the %s of %s: %v\n%s", kind, ns, err, out)
		}
	}
	list, err := s.ksit.KsitV1alpha1().Installations(ns).List(s.ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) > 0 {
		t.Errorf("%d Installations are left in %s (%v)", len(list.Items), ns, err)
	}
}

type helmRelease struct {
	Name, Namespace, Revision, Status, Chart string
}

// helmList asks the helm command what is on a target, by namespace/name.
func helmList(t testing.TB, kubeconfig string) map[string]helmRelease {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), s.bed.Tools.Helm, "--kubeconfig", kubeconfig, "list", "-A", "--all", "-o", "json").Output()
	if err != nil {
		t.Fatalf("helm list: %v", err)
	}
	var list []helmRelease
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatalf("helm list: %v\n%s", err, out)
	}
	byName := map[string]helmRelease{}
	for _, r := range list {
		byName[r.Namespace+"/"+r.Name] = r
	}
	return byName
}

func squeeze(text string) string {
	lines := strings.Split(text, "\n")
	for n, line := range lines {
		lines[n] = strings.Join(strings.Fields(line), " ")
	}
	return strings.Join(lines, "\n")
}
