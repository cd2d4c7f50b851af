// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// The namespaces of the fleet. The targets one, two and asleep are in each.
const (
	system = "ksit-system"
	teamA  = "team-a"
	teamB  = "team-b"
)

// fleetSize is how many Integrations there are.
const fleetSize = 100

// fleet is Integrations of every sort, by namespace/name.
type fleet map[string]string

func integration(namespace, name, spec string) string {
	return fmt.Sprintf("---\napiVersion: ksit.io/v1alpha1\nkind: Integration\nmetadata: {name: %s, namespace: %s}\nspec:\n%s", name, namespace, spec)
}

// podinfo is the spec of a small chart.
func podinfo(targets, version, more string) string {
	return fmt.Sprintf(`  type: generic
  targetClusters: [%s]
  autoInstall:
    enabled: true
    timeoutSeconds: 120
    helmConfig:
      repository: https://charts.example.com/test
      chart: podinfo-lite
      version: %q
%s`, targets, version, more)
}

func configMap(targets, name, value, more string) string {
	return fmt.Sprintf(`  type: generic
  targetClusters: [%s]
  autoInstall:
    enabled: true
    method: manifest
    manifestConfig:
      manifests: |
        {apiVersion: v1, kind: ConfigMap, metadata: {name: %s}, data: {value: %q}}
%s`, targets, name, value, more)
}

// known is a spec that says no more than the type.
func known(kind, targets, more string) string {
	return fmt.Sprintf("  type: %s\n  targetClusters: [%s]\n  autoInstall: {enabled: true%s}\n", kind, targets, more)
}

// newFleet is every sort of Integration, filled up with small ones.
func newFleet() fleet {
	f := fleet{}
	add := func(namespace, name, spec string) { f[namespace+"/"+name] = integration(namespace, name, spec) }
	add(system, "argocd", known("argocd", "one, two", ""))
	add(system, "prometheus", known("prometheus", "one", ""))
	add(system, "istio", known("istio", "two", ""))
	add(system, "flux", known("flux", "one", ""))
	add(system, "flux-manifest", known("flux", "two", ", method: manifest"))

	add(teamA, "valued", podinfo("one, two", "1.0.0", `      templateValues: true
      valuesObject: {replicas: 1, message: "${target.clusterName}"}
      valuesFrom:
      - {kind: ConfigMap, name: values}
      - {kind: Secret, name: private, key: password, targetPath: database.password}
`))
	add(teamA, "ranged", podinfo("one", "1.x", ""))
	add(teamA, "before", podinfo("one", "1.0.0", ""))
	add(teamA, "after", podinfo("one", "1.0.0", "  dependsOn: [{name: before}]\n"))
	add(teamA, "rolling", podinfo("one, two", "1.0.0", `  rollout:
    maxConcurrent: 1
    partitions: [{name: first, targetSelector: {matchLabels: {ring: first}}}]
`))
	add(teamA, "selecting", strings.Replace(podinfo("", "1.0.0", ""), "targetClusters: []", "targetSelector: {matchLabels: {fleet: \"yes\"}}", 1))
	add(teamA, "sleeping", podinfo("asleep", "1.0.0", ""))
	add(teamA, "orphan", podinfo("two", "1.0.0", "    deletionPolicy: Orphan\n"))
	add(teamA, "adopted", podinfo("two", "1.0.0", ""))
	add(teamA, "held", podinfo("one, two", "1.0.0", ""))
	add(teamA, "held-manifest", configMap("two", "held-manifest", "first", ""))
	add(teamA, "watched", podinfo("one", "1.0.0", "    drift: {mode: Correct}\n"))
	add(teamA, "robbed", podinfo("one", "1.0.0", ""))
	add(teamA, "asked", podinfo("one", "1.0.0", ""))
	add(teamA, "disabled", podinfo("two", "1.0.0", "  enabled: false\n"))
	for n := range 8 {
		name := fmt.Sprintf("manifest-%d", n)
		add(teamB, name, configMap("one, two", name, "v", ""))
	}
	for n := 0; len(f) < fleetSize; n++ {
		add(teamB, fmt.Sprintf("app-%02d", n), podinfo([]string{"one", "two"}[n%2], "1.0.0", ""))
	}
	return f
}

// settle installs the fleet, and does to it what is done to fleets.
func (w *world) settle(t *testing.T, f fleet) {
	t.Helper()
	one, two := w.bed.Targets[0], w.bed.Targets[1]
	for _, namespace := range []string{teamA, teamB} {
		w.kubectl(t, "", "create", "namespace", namespace)
	}
	for _, namespace := range []string{system, teamA, teamB} {
		w.register(t, namespace, "one", one, `ring: first, fleet: "yes"`)
		w.register(t, namespace, "two", two, `fleet: "yes"`)
		w.register(t, namespace, "asleep", two, "")
	}
	w.kubectl(t, "", "create", "configmap", "values", "-n", teamA, "--from-literal=values.yaml=extraLabels: {tier: gold}")
	w.kubectl(t, "", "create", "secret", "generic", "private", "-n", teamA, "--from-literal=password=hunter2")
	out, err := exec.CommandContext(t.Context(), w.bed.Tools.Helm, "--kubeconfig", two.Kubeconfig, "install", "adopted",
		w.bed.Charts.URL+"/test/podinfo-lite-1.0.0.tgz", "-n", "adopted", "--create-namespace").CombinedOutput()
	if err != nil {
		t.Fatalf("helm install: %v\n%s", err, out)
	}

	began := time.Now()
	w.size = len(f)
	w.kubectl(t, strings.Join(slices.Sorted(maps.Values(f)), "\n"), "apply", "-f", "-")
	w.waitPhases(t, map[string]v1alpha1.Phase{teamA + "/disabled": v1alpha1.PhaseDisabled})
	t.Logf("%d Integrations were installed after %s", len(f), time.Since(began).Round(time.Second))

	// Two are upgraded, and rolled back by hand on one cluster.
	w.patch(t, "integration", teamA, "held", `{"spec":{"autoInstall":{"helmConfig":{"version":"1.1.0"}}}}`)
	w.kubectl(t, integration(teamA, "held-manifest", configMap("two", "held-manifest", "second", "")), "apply", "-f", "-")
	w.kubectl(t, "", "annotate", "integration", "asked", "-n", teamA, "reconcile=once")
	w.waitPhases(t, map[string]v1alpha1.Phase{teamA + "/disabled": v1alpha1.PhaseDisabled})
	for _, name := range []string{"held.one", "held-manifest.two"} {
		record, err := w.ksit.KsitV1alpha1().Installations(teamA).Rollback(t.Context(), name, &v1alpha1.RollbackRequest{}, metav1.CreateOptions{})
		must(t, err)
		w.waitInstallation(t, teamA, name, "the rollback", func(i *v1alpha1.Installation) bool {
			return i.Status.LastRequest == record.Status.ID && i.Status.Hold != nil && i.Status.Phase == v1alpha1.PhaseRunning
		})
	}
	// Of one, somebody deletes an object on the cluster. That is reported, and left.
	if out, err := w.tryKubectl(t.Context(), one, "", "delete", "service", "robbed", "-n", "robbed"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w.waitInstallation(t, teamA, "robbed.one", "the loss to be seen", func(i *v1alpha1.Installation) bool { return len(i.Status.Drifted) > 0 })
	w.patch(t, "integrationtarget", teamA, "asleep", `{"spec":{"suspend":true}}`)
	w.waitInstallation(t, teamA, "sleeping.asleep", "its target to be suspended", func(i *v1alpha1.Installation) bool {
		return strings.Contains(i.Status.Message, "suspended")
	})
}

func (w *world) patch(t *testing.T, kind, namespace, name, patch string) {
	t.Helper()
	w.kubectl(t, "", "patch", kind, name, "-n", namespace, "--type=merge", "-p", patch)
}

// waitPhases waits until every Integration is Running, but for those of whom
// something else is expected, and says it of its present spec.
func (w *world) waitPhases(t *testing.T, others map[string]v1alpha1.Phase) {
	t.Helper()
	wait(t, "the phases of all", func(ctx context.Context) error {
		list, err := w.ksit.KsitV1alpha1().Integrations("").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		if len(list.Items) != w.size {
			return fmt.Errorf("there are %d", len(list.Items))
		}
		var wrong []error
		for _, i := range list.Items {
			want, other := others[i.Namespace+"/"+i.Name]
			if !other {
				want = v1alpha1.PhaseRunning
			}
			if i.Status.Phase != want || i.Status.ObservedGeneration != i.Generation {
				wrong = append(wrong, fmt.Errorf("%s/%s is %s instead of %s: %s", i.Namespace, i.Name, i.Status.Phase, want, i.Status.Message))
			}
		}
		return errors.Join(wrong...)
	})
}

func (w *world) waitInstallation(t *testing.T, namespace, name, what string, done func(*v1alpha1.Installation) bool) *v1alpha1.Installation {
	t.Helper()
	var last *v1alpha1.Installation
	wait(t, fmt.Sprintf("%s of Installation %s/%s", what, namespace, name), func(ctx context.Context) error {
		var err error
		last, err = w.ksit.KsitV1alpha1().Installations(namespace).Get(ctx, name, metav1.GetOptions{})
		if err == nil && !done(last) {
			err = fmt.Errorf("its status is %+v", last.Status)
		}
		return err
	})
	return last
}
