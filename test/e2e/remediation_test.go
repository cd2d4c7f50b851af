// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestUpgradeIsRolledBack upgrades to a chart that never becomes ready: the
// retries are spent, the last good revision is back, and nothing more happens
// until somebody asks.
func TestUpgradeIsRolledBack(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "one")
	kubeconfig := s.bed.Targets[0].Kubeconfig
	kubectl(t, generic(ns, "upgraded", "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "upgraded", v1alpha1.PhaseRunning)

	// Pods that do not count as ready for eight minutes.
	patch(t, ns, "upgraded", `{"spec":{"autoInstall":{"timeoutSeconds":10,"remediation":{"retries":1},"helmConfig":{"version":"1.1.0","values":{"minReadySeconds":"500"}}}}}`)
	i := waitCondition(t, ns, "upgraded.one", v1alpha1.ConditionRemediated, metav1.ConditionTrue, "RolledBack")
	if i.Status.Phase != v1alpha1.PhaseFailed || !meta.IsStatusConditionTrue(i.Status.Conditions, v1alpha1.ConditionStalled) || i.Status.Retries != 2 {
		t.Errorf("phase %s after %d counted failures, conditions %+v", i.Status.Phase, i.Status.Retries, i.Status.Conditions)
	}
	r := helmList(t, kubeconfig)["upgraded/upgraded"]
	if r.Chart != "podinfo-lite-1.0.0" || r.Status != "deployed" {
		t.Errorf("release is %+v, want the first version, deployed", r)
	}
	waitCondition(t, ns, "upgraded.one", v1alpha1.ConditionHealthy, metav1.ConditionTrue, "Passed")

	kubectl(t, "", "annotate", "integration", "upgraded", "-n", ns, "reconcile=again", "--overwrite")
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		i, err := s.ksit.KsitV1alpha1().Installations(ns).Get(ctx, "upgraded.one", metav1.GetOptions{})
		return err == nil && i.Status.LastReconcileRequest == "again" && i.Status.LastOperation.RequestedBy == whoAmI(t)
	}) {
		t.Error("a reconcile that was asked for is not carried out")
	}
	patch(t, ns, "upgraded", `{"spec":{"autoInstall":{"timeoutSeconds":60,"helmConfig":{"version":"1.1.0","values":{"minReadySeconds":null}}}}}`)
	waitPhase(t, ns, "upgraded", v1alpha1.PhaseRunning)
	if r := helmList(t, kubeconfig)["upgraded/upgraded"]; r.Chart != "podinfo-lite-1.1.0" || r.Status != "deployed" {
		t.Errorf("release is %+v, want the second version, deployed", r)
	}
	if history := helmHistory(t, kubeconfig, "upgraded"); len(history) > 6 {
		t.Errorf("%d revisions are kept: %+v", len(history), history)
	}
}

// TestManifestsAreRolledBack does the same with manifests.
func TestManifestsAreRolledBack(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "one")
	kubeconfig := s.bed.Targets[0].Kubeconfig
	manifests := func(text, more string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: told}\ndata: {text: %s}\n%s", text, more)
	}
	integration := func(manifests string) string {
		return fmt.Sprintf(`{"apiVersion":"ksit.io/v1alpha1","kind":"Integration","metadata":{"name":"plain","namespace":%q},"spec":{"type":"generic",
"targetClusters":["one"],"autoInstall":{"enabled":true,"method":"manifest","timeoutSeconds":10,"remediation":{"retries":0},"manifestConfig":{"manifests":%q}}}}`, ns, manifests)
	}
	kubectl(t, integration(manifests("first", "")), "apply", "-f", "-")
	waitPhase(t, ns, "plain", v1alpha1.PhaseRunning)
	// A claim that nobody fulfils is never bound.
	kubectl(t, integration(manifests("second", `---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: never}
spec: {accessModes: [ReadWriteOnce], storageClassName: none, resources: {requests: {storage: 1Gi}}}
`)), "apply", "-f", "-")
	waitCondition(t, ns, "plain.one", v1alpha1.ConditionRemediated, metav1.ConditionTrue, "RolledBack")
	if text := onTarget(t, kubeconfig, "plain", "configmap/told", "{.data.text}"); text != "first" {
		t.Errorf("the ConfigMap says %q after the rollback", text)
	}
	if claims := onTarget(t, kubeconfig, "plain", "persistentvolumeclaims", "{.items[*].metadata.name}"); claims != "" {
		t.Errorf("left by the revision that failed: %s", claims)
	}
}

func patch(t testing.TB, namespace, integration, merge string) {
	t.Helper()
	kubectl(t, "", "patch", "integration", integration, "-n", namespace, "--type=merge", "-p", merge)
}

// onTarget reads an object of a target by a JSONPath.
func onTarget(t testing.TB, kubeconfig, namespace, what, path string) string {
	t.Helper()
	out, err := tryKubectl(t.Context(), kubeconfig, "", "get", what, "-n", namespace, "-o", "jsonpath="+path)
	if err != nil {
		t.Fatalf("kubectl get %s: %v\n%s", what, err, out)
	}
	return out
}

// waitCondition waits until an Installation has a condition with a reason.
func waitCondition(t testing.TB, namespace, name, kind string, value metav1.ConditionStatus, reason string) *v1alpha1.Installation {
	t.Helper()
	var last *v1alpha1.Installation
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		i, err := s.ksit.KsitV1alpha1().Installations(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false
		}
		last = i
		c := meta.FindStatusCondition(i.Status.Conditions, kind)
		return c != nil && c.Status == value && c.Reason == reason
	}) {
		if last == nil {
			t.Fatalf("there is no Installation %s/%s", namespace, name)
		}
		t.Fatalf("Installation %s/%s has no condition %s=%s with the reason %s: %s\n%+v", namespace, name, kind, value, reason, last.Status.Message, last.Status.Conditions)
	}
	return last
}
