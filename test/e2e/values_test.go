// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestValuesFromElsewhere takes values from a ConfigMap and a Secret, per
// target: a change of either upgrades, and what is secret is shown nowhere.
func TestValuesFromElsewhere(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-very-secret"
	ns := namespace(t, "one", "two")
	kubectl(t, "", "create", "configmap", "shared", "-n", ns, "--from-literal=values.yaml=where: ${target.clusterName}\ntier: ${target.labels[?'tier'].orValue('none')}\nreplicaCount: 1")
	kubectl(t, "", "create", "secret", "generic", "private", "-n", ns, "--from-literal=password="+secret)
	kubectl(t, "", "label", "integrationtarget", "two", "-n", ns, "tier=gold")
	integration := generic(ns, "valued", "podinfo-lite", "1.0.0", []string{"one", "two"}, `      templateValues: true
      valuesFrom:
      - {kind: ConfigMap, name: shared}
      - {kind: ConfigMap, name: missing, optional: true}
      - {kind: Secret, name: private, key: password, targetPath: database.password}
`)
	kubectl(t, integration, "apply", "-f", "-")
	waitPhase(t, ns, "valued", v1alpha1.PhaseRunning)
	for n, want := range []string{`"where":"one","tier":"none"`, `"where":"two","tier":"gold"`} {
		out, err := helm(t, s.bed.Targets[n].Kubeconfig, "get", "values", "valued", "-n", "valued", "-o", "json")
		if err != nil {
			t.Fatalf("helm get values: %v\n%s", err, out)
		}
		for _, part := range append(strings.Split(want, ","), secret) {
			if !strings.Contains(out, part) {
				t.Errorf("values on %s lack %s: %s", s.bed.Targets[n].Name, part, out)
			}
		}
	}
	all := kubectl(t, "", "get", "integrations,installations,events", "-n", ns, "-o", "yaml")
	if strings.Contains(all, secret) {
		t.Error("a value of the Secret is shown by an object of KSIT")
	}
	if !strings.Contains(all, "where: one") {
		t.Errorf("the merged values are not shown:\n%s", all)
	}

	kubectl(t, fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"shared","namespace":%q},"data":{"values.yaml":"where: changed"}}`, ns), "apply", "-f", "-")
	for n, target := range []string{"one", "two"} {
		if !poll(t.Context(), eventually, func(context.Context) bool {
			out, _ := helm(t, s.bed.Targets[n].Kubeconfig, "get", "values", "valued", "-n", "valued", "-o", "json")
			return strings.Contains(out, `"where":"changed"`)
		}) {
			t.Errorf("the change of the ConfigMap did not reach %s", target)
		}
	}
	kubectl(t, "", "delete", "secret", "private", "-n", ns)
	kubectl(t, "", "annotate", "integration", "valued", "-n", ns, "reconcile=now", "--overwrite")
	waitMessage(t, ns, "valued", v1alpha1.PhaseFailed, "private")
	if r := helmList(t, s.bed.Targets[0].Kubeconfig)["valued/valued"]; r.Status != "deployed" {
		t.Errorf("a missing Secret took the release away: %+v", r)
	}
}

// TestWrongExpressionNamesTheValue has an expression that fails on a target.
func TestWrongExpressionNamesTheValue(t *testing.T) {
	ns := namespace(t, "one")
	kubectl(t, generic(ns, "expressed", "podinfo-lite", "1.0.0", []string{"one"}, "      templateValues: true\n      values: {region: '${target.labels.region}'}\n"), "apply", "-f", "-")
	waitMessage(t, ns, "expressed", v1alpha1.PhaseFailed, "region")
	kubectl(t, "", "label", "integrationtarget", "one", "-n", ns, "region=eu")
	waitPhase(t, ns, "expressed", v1alpha1.PhaseRunning)
	i, err := s.ksit.KsitV1alpha1().Installations(ns).Get(t.Context(), "expressed.one", metav1.GetOptions{})
	if err != nil || !strings.Contains(i.Status.Values, "region: eu") {
		t.Errorf("values are %q (%v)", i.Status.Values, err)
	}
}
