// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestDrift changes and removes what was applied, by chart and by manifests: it
// is reported, then corrected, and the history of the release does not grow.
func TestDrift(t *testing.T) {
	ns := namespace(t, "one")
	kubeconfig := s.bed.Targets[0].Kubeconfig
	kubectl(t, generic(ns, "chart", "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	kubectl(t, fmt.Sprintf(`{"apiVersion":"ksit.io/v1alpha1","kind":"Integration","metadata":{"name":"plain","namespace":%q},"spec":{"type":"generic",
"targetClusters":["one"],"autoInstall":{"enabled":true,"method":"manifest","manifestConfig":{"manifests":%q}}}}`, ns,
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: told}\ndata: {text: first}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n"), "apply", "-f", "-")
	waitPhase(t, ns, "chart", v1alpha1.PhaseRunning)
	waitPhase(t, ns, "plain", v1alpha1.PhaseRunning)
	waitCondition(t, ns, "chart.one", v1alpha1.ConditionDrifted, metav1.ConditionFalse, "AsApplied")
	waitCondition(t, ns, "plain.one", v1alpha1.ConditionDrifted, metav1.ConditionFalse, "AsApplied")

	deployment := onTarget(t, kubeconfig, "chart", "deployments", "{.items[0].metadata.name}")
	replicas := onTarget(t, kubeconfig, "chart", "deployment/"+deployment, "{.spec.replicas}")
	disturb := func() {
		t.Helper()
		for _, args := range [][]string{
			{"scale", "deployment", deployment, "-n", "chart", "--replicas=7"},
			{"patch", "configmap", "told", "-n", "plain", "--type=merge", "-p", `{"data":{"text":"changed"}}`},
			{"delete", "configmap", "other", "-n", "plain"},
		} {
			if out, err := tryKubectl(t.Context(), kubeconfig, "", args...); err != nil {
				t.Fatalf("kubectl %v: %v\n%s", args, err, out)
			}
		}
	}
	disturb()
	i := waitCondition(t, ns, "chart.one", v1alpha1.ConditionDrifted, metav1.ConditionTrue, "Drifted")
	if len(i.Status.Drifted) != 1 || i.Status.Drifted[0].Kind != "Deployment" || !slices.Contains(i.Status.Drifted[0].Fields, "/spec/replicas") {
		t.Errorf("drifted: %+v", i.Status.Drifted)
	}
	// A look for drift may come between the two changes.
	i = waitInstallation(t, ns, "plain.one", "drifted twice", func(i *v1alpha1.Installation) bool { return len(i.Status.Drifted) == 2 })
	if !i.Status.Drifted[0].Missing || i.Status.Drifted[1].Fields[0] != "/data/text" {
		t.Errorf("drifted: %+v", i.Status.Drifted)
	}
	if got := onTarget(t, kubeconfig, "chart", "deployment/"+deployment, "{.spec.replicas}"); got != "7" {
		t.Errorf("in the mode Warn the replicas were set to %s", got)
	}

	for _, name := range []string{"chart", "plain"} {
		patch(t, ns, name, `{"spec":{"autoInstall":{"drift":{"mode":"Correct"}}}}`)
		waitCondition(t, ns, name+".one", v1alpha1.ConditionDrifted, metav1.ConditionFalse, "Corrected")
	}
	if got := onTarget(t, kubeconfig, "chart", "deployment/"+deployment, "{.spec.replicas}"); got != replicas {
		t.Errorf("%s replicas after the correction, want %s", got, replicas)
	}
	if got := onTarget(t, kubeconfig, "plain", "configmap/told", "{.data.text}"); got != "first" {
		t.Errorf("the ConfigMap says %q after the correction", got)
	}
	onTarget(t, kubeconfig, "plain", "configmap/other", "{.metadata.name}")
	if r := helmList(t, kubeconfig)["chart/chart"]; r.Revision != "1" {
		t.Errorf("the correction made a revision: %+v", r)
	}

	// Ignored, the same change is no drift.
	patch(t, ns, "chart", `{"spec":{"autoInstall":{"drift":{"mode":"Warn","ignore":[{"kind":"Deployment","paths":["/spec/replicas"]}]}}}}`)
	disturb()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
		i, err := s.ksit.KsitV1alpha1().Installations(ns).Get(context.Background(), "chart.one", metav1.GetOptions{})
		if err != nil || meta.IsStatusConditionTrue(i.Status.Conditions, v1alpha1.ConditionDrifted) {
			t.Fatalf("what is ignored counts as drift: %+v (%v)", i.Status.Drifted, err)
		}
	}
}
