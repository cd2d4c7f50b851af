// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
)

// TestStatusTellsTheTruth breaks what runs, and what never ran: the status says
// so, names the object, and never says Running of a spec that is not installed.
func TestStatusTellsTheTruth(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "one")
	target := s.bed.Targets[0]
	kubectl(t, generic(ns, "honest", "podinfo-lite", "1.0.0", []string{"one"}, "    drift: {mode: Disabled}\n"), "apply", "-f", "-")
	waitPhase(t, ns, "honest", v1alpha1.PhaseRunning)

	t.Run("an object that somebody deleted", func(t *testing.T) {
		must(t, clientOf(t, target).AppsV1().Deployments("honest").Delete(t.Context(), "honest", metav1.DeleteOptions{}))
		waitMessage(t, ns, "honest", v1alpha1.PhaseDegraded, "Deployment", "honest")
		i := waitInstallation(t, ns, "honest.one", "Degraded", func(i *v1alpha1.Installation) bool { return i.Status.Phase == v1alpha1.PhaseDegraded })
		if len(i.Status.Unhealthy) == 0 || i.Status.Unhealthy[0].Kind != "Deployment" || meta.IsStatusConditionTrue(i.Status.Conditions, v1alpha1.ConditionReady) {
			t.Errorf("unhealthy are %+v, conditions %+v", i.Status.Unhealthy, i.Status.Conditions)
		}
	})
	t.Run("an install that never becomes ready", func(t *testing.T) {
		manifest := strings.Replace(generic(ns, "unfit", "broken", "1.0.0", []string{"one"}, ""), "timeoutSeconds: 60", "timeoutSeconds: 10", 1)
		kubectl(t, manifest, "apply", "-f", "-")
		waitMessage(t, ns, "unfit", v1alpha1.PhaseFailed, "Deployment", "unfit")
		i := waitInstallation(t, ns, "unfit.one", "Failed", func(i *v1alpha1.Installation) bool { return i.Status.Phase == v1alpha1.PhaseFailed })
		if c := conditionOf(i, v1alpha1.ConditionInstalled); c.Status != metav1.ConditionFalse || c.Reason != "NotReady" {
			t.Errorf("the condition Installed is %+v", c)
		}
		if !poll(t.Context(), eventually, func(ctx context.Context) bool {
			out, err := tryKubectl(ctx, s.bed.Host.Kubeconfig, "", "events", "-n", ns, "--for", "installation/unfit.one")
			return err == nil && strings.Contains(out, "NotReady")
		}) {
			t.Error("there is no event of it")
		}
	})
	t.Run("one cluster of two", func(t *testing.T) {
		relay := registerRelayed(t, ns, "two", s.bed.Targets[1])
		kubectl(t, generic(ns, "partly", "podinfo-lite", "1.0.0", []string{"one", "two"}, ""), "apply", "-f", "-")
		waitPhase(t, ns, "partly", v1alpha1.PhaseRunning)
		must(t, relay.Refuse())
		waitMessage(t, ns, "partly", v1alpha1.PhaseUnknown, "two")
		i, err := s.ksit.KsitV1alpha1().Integrations(ns).Get(t.Context(), "partly", metav1.GetOptions{})
		must(t, err)
		if i.Status.Healthy != 1 || i.Status.Targets != 2 {
			t.Errorf("%d of %d targets are healthy", i.Status.Healthy, i.Status.Targets)
		}
		must(t, relay.Pass())
		waitPhase(t, ns, "partly", v1alpha1.PhaseRunning)
	})
}

// TestOperatorsAndDefaultsAreNoDrift leaves a target alone on which webhooks get
// their CA bundle from an operator, the API server fills in defaults, and an
// autoscaler sets replicas: nothing of it is drift, and nothing is undone.
func TestOperatorsAndDefaultsAreNoDrift(t *testing.T) {
	ns := namespace(t)
	target := s.bed.Targets[2]
	user := ns + "-drift"
	kubeconfig, err := target.AuditedKubeconfig(user)
	must(t, err)
	registerContent(t, ns, "three", kubeconfig)
	kubectl(t, fmt.Sprintf(`
apiVersion: ksit.io/v1alpha1
kind: Integration
metadata: {name: mesh, namespace: %s}
spec:
  type: istio
  targetClusters: [three]
  autoInstall: {enabled: true, drift: {mode: Correct}}
`, ns), "apply", "-f", "-")
	kubectl(t, generic(ns, "scaled", "podinfo-lite", "1.0.0", []string{"three"}, "    drift: {mode: Correct}\n"), "apply", "-f", "-")
	waitPhase(t, ns, "mesh", v1alpha1.PhaseRunning)
	waitPhase(t, ns, "scaled", v1alpha1.PhaseRunning)
	autoscale(t, target, "scaled", 3)
	quiet(t)

	for _, name := range []string{"mesh.three", "scaled.three"} {
		i := waitInstallation(t, ns, name, "looked at for drift", func(i *v1alpha1.Installation) bool {
			return conditionOf(i, v1alpha1.ConditionDrifted).Status != ""
		})
		if c := conditionOf(i, v1alpha1.ConditionDrifted); c.Status != metav1.ConditionFalse {
			t.Errorf("%s is said to have drifted: %s: %+v", name, c.Message, i.Status.Drifted)
		}
		if last := i.Status.LastOperation; last.Type == v1alpha1.OperationCorrect {
			t.Errorf("%s was corrected: %+v", name, last)
		}
	}
	deployment, err := clientOf(t, target).AppsV1().Deployments("scaled").Get(t.Context(), "scaled", metav1.GetOptions{})
	if err != nil || *deployment.Spec.Replicas != 3 {
		t.Errorf("the replicas of the autoscaler were undone (%v)", err)
	}
}

// autoscale does what a HorizontalPodAutoscaler does.
func autoscale(t testing.TB, target *bed.Cluster, name string, replicas int) {
	t.Helper()
	out, err := tryKubectl(t.Context(), target.Kubeconfig, "", "autoscale", "deployment", name, "-n", name, "--min=3", "--max=5")
	if err != nil {
		t.Fatalf("kubectl autoscale: %v\n%s", err, out)
	}
	_, err = clientOf(t, target).AppsV1().Deployments(name).Patch(t.Context(), name, types.MergePatchType,
		fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas), metav1.PatchOptions{FieldManager: "kube-controller-manager"}, "scale")
	must(t, err)
}
