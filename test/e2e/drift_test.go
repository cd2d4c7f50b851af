// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestDriftIsSeenAndUndone changes and deletes by hand what was applied, by chart
// and by manifests: that is reported, undone where the spec says so, without a
// revision of the release for it, and passed over where the spec says that.
func TestDriftIsSeenAndUndone(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "one")
	target := s.bed.Targets[0]
	kubectl(t, generic(ns, "chart", "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	kubectl(t, fmt.Sprintf(`{"apiVersion":"ksit.io/v1alpha1","kind":"Integration","metadata":{"name":"bare","namespace":%q},"spec":{"type":"generic",
"targetClusters":["one"],"autoInstall":{"enabled":true,"method":"manifest","manifestConfig":{"manifests":%q}}}}`, ns,
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: told}\ndata: {text: first}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n"), "apply", "-f", "-")
	for _, name := range []string{"chart", "bare"} {
		waitPhase(t, ns, name, v1alpha1.PhaseRunning)
		waitCondition(t, ns, name+".one", v1alpha1.ConditionDrifted, metav1.ConditionFalse, "AsApplied")
	}
	uid := deploymentUID(t, target, "chart")
	// What is there, and what must be there again.
	there := map[string]func() string{
		"replicas": func() string { return onTarget(t, target.Kubeconfig, "chart", "deployment/chart", "{.spec.replicas}") },
		"message":  func() string { return onTarget(t, target.Kubeconfig, "chart", "configmap/chart", "{.data.message}") },
		"text":     func() string { return onTarget(t, target.Kubeconfig, "bare", "configmap/told", "{.data.text}") },
	}
	asApplied := map[string]string{}
	for what, read := range there {
		asApplied[what] = read()
	}
	onTargetDo := func(args ...string) {
		t.Helper()
		if out, err := tryKubectl(t.Context(), target.Kubeconfig, "", args...); err != nil {
			t.Fatalf("kubectl %v: %v\n%s", args, err, out)
		}
	}

	onTargetDo("scale", "deployment", "chart", "-n", "chart", "--replicas=7")
	onTargetDo("patch", "configmap", "chart", "-n", "chart", "--type=merge", "-p", `{"data":{"message":"changed"}}`)
	onTargetDo("patch", "configmap", "told", "-n", "bare", "--type=merge", "-p", `{"data":{"text":"changed"}}`)
	onTargetDo("delete", "configmap", "other", "-n", "bare")
	for name, want := range map[string][]string{
		"chart.one": {"ConfigMap chart: /data/message", "Deployment chart: /spec/replicas"},
		"bare.one":  {"ConfigMap other is missing", "ConfigMap told: /data/text"},
	} {
		// A look for drift may come between the changes.
		waitInstallation(t, ns, name, fmt.Sprintf("drifted by %q", want), func(i *v1alpha1.Installation) bool {
			return conditionOf(i, v1alpha1.ConditionDrifted).Status == metav1.ConditionTrue && slices.Equal(drifted(i), want)
		})
	}
	for what, now := range map[string]string{"replicas": "7", "message": "changed", "text": "changed"} {
		if got := there[what](); got != now {
			t.Errorf("in the mode Warn the %s became %s", what, got)
		}
	}

	for _, name := range []string{"chart", "bare"} {
		patch(t, ns, name, `{"spec":{"autoInstall":{"drift":{"mode":"Correct"}}}}`)
		i := waitCondition(t, ns, name+".one", v1alpha1.ConditionDrifted, metav1.ConditionFalse, "Corrected")
		if last := i.Status.LastOperation; last.Type != v1alpha1.OperationCorrect || last.Outcome != v1alpha1.OperationSucceeded {
			t.Errorf("the last operation on %s is %+v", name, last)
		}
	}
	for what, read := range there {
		if got := read(); got != asApplied[what] {
			t.Errorf("after the correction the %s is %s, not %s", what, got, asApplied[what])
		}
	}
	onTarget(t, target.Kubeconfig, "bare", "configmap/other", "{.metadata.name}")
	if deploymentUID(t, target, "chart") != uid {
		t.Error("the Deployment was made again for it")
	}
	// In the mode Correct what is deleted comes back without being asked for.
	onTargetDo("delete", "service", "chart", "-n", "chart")
	onTargetDo("wait", "service/chart", "-n", "chart", "--for=create", "--timeout=120s")
	waitPhase(t, ns, "chart", v1alpha1.PhaseRunning)
	revisions := history(t, target, "chart")
	if err := sound(revisions); err != nil || len(revisions) != 1 {
		t.Errorf("the corrections made revisions: %+v (%v)", revisions, err)
	}

	// Ignored, the same change is no drift: it is not among what is found after it.
	patch(t, ns, "chart", `{"spec":{"autoInstall":{"drift":{"mode":"Warn","ignore":[{"kind":"Deployment","paths":["/spec/replicas"]}]}}}}`)
	onTargetDo("scale", "deployment", "chart", "-n", "chart", "--replicas=7")
	onTargetDo("delete", "service", "chart", "-n", "chart")
	waitInstallation(t, ns, "chart.one", "drifted by the Service alone", func(i *v1alpha1.Installation) bool {
		found := drifted(i)
		if slices.ContainsFunc(found, func(d string) bool { return strings.HasPrefix(d, "Deployment") }) {
			t.Fatalf("what is ignored counts as drift: %v", found)
		}
		return slices.Equal(found, []string{"Service chart is missing"})
	})
}

// drifted returns what has drifted, a line for each object, in order.
func drifted(i *v1alpha1.Installation) []string {
	var all []string
	for _, r := range i.Status.Drifted {
		line := r.Kind + " " + r.Name
		if r.Missing {
			line += " is missing"
		} else {
			line += ": " + strings.Join(r.Fields, " ")
		}
		all = append(all, line)
	}
	slices.Sort(all)
	return all
}
