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

// TestRefused sends what can be seen to be wrong: it never gets into the store,
// and the answer names the field.
func TestRefused(t *testing.T) {
	ns := namespace(t)
	integration := func(name, spec string) string {
		return fmt.Sprintf("apiVersion: ksit.io/v1alpha1\nkind: Integration\nmetadata: {name: %q, namespace: %s}\nspec: %s\n", name, ns, spec)
	}
	helm := func(config string) string {
		return integration("x", `{type: argocd, targetClusters: [one], autoInstall: {enabled: true, helmConfig: `+config+`}}`)
	}
	for name, tc := range map[string]struct {
		manifest string
		words    []string
	}{
		"unknown type":       {integration("x", "{type: jenkins, targetClusters: [one]}"), []string{"spec.type", "argocd"}},
		"no targets":         {integration("x", "{type: argocd, targetClusters: []}"), []string{"spec.targetClusters"}},
		"a target twice":     {integration("x", "{type: argocd, targetClusters: [one, one]}"), []string{"spec.targetClusters[1]", "Duplicate"}},
		"foreign target":     {integration("x", "{type: argocd, targetClusters: [other/one]}"), []string{"spec.targetClusters[0]"}},
		"name is no label":   {integration("Not_A_DNS Name!", "{type: argocd, targetClusters: [one]}"), []string{"metadata.name"}},
		"name too long":      {integration(strings.Repeat("a", 64), "{type: argocd, targetClusters: [one]}"), []string{"metadata.name", "63"}},
		"bad URL":            {helm(`{repository: "not a url"}`), []string{"spec.autoInstall.helmConfig.repository"}},
		"bad scheme":         {helm(`{repository: "ftp://example.com"}`), []string{"spec.autoInstall.helmConfig.repository", "https"}},
		"password in URL":    {helm(`{repository: "https://user:secret@example.com"}`), []string{"spec.autoInstall.helmConfig.repository"}},
		"long release name":  {helm(`{releaseName: ` + strings.Repeat("r", 54) + `}`), []string{"spec.autoInstall.helmConfig.releaseName", "53"}},
		"bad version":        {helm(`{version: "one point two"}`), []string{"spec.autoInstall.helmConfig.version"}},
		"generic without":    {integration("x", "{type: generic, targetClusters: [one], autoInstall: {enabled: true}}"), []string{"helmConfig"}},
		"unknown method":     {integration("x", "{type: argocd, targetClusters: [one], autoInstall: {enabled: true, method: magic}}"), []string{"spec.autoInstall.method"}},
		"unknown field":      {integration("x", "{type: argocd, targetClusters: [one], autoinstall: {enabled: true}}"), []string{"autoinstall"}},
		"values that list":   {helm(`{valuesObject: [1, 2]}`), []string{"valuesObject"}},
		"target without":     {fmt.Sprintf("apiVersion: ksit.io/v1alpha1\nkind: IntegrationTarget\nmetadata: {name: x, namespace: %s}\nspec: {}\n", ns), []string{"spec.kubeconfigSecret"}},
		"target cluster dns": {strings.Replace(targetManifest(ns, "x", "s"), "clusterName: x", "clusterName: A_B", 1), []string{"spec.clusterName"}},
	} {
		t.Run(name, func(t *testing.T) { refused(t, tc.manifest, tc.words...) })
	}
	t.Run("immutable", func(t *testing.T) {
		kubectl(t, integration("fixed", "{type: argocd, targetClusters: [none]}"), "apply", "-f", "-")
		refused(t, integration("fixed", "{type: flux, targetClusters: [none]}"), "spec.type", "immutable")
	})
	t.Run("no such namespace", func(t *testing.T) {
		refused(t, strings.Replace(integration("x", "{type: argocd, targetClusters: [one]}"), "namespace: "+ns, "namespace: nowhere", 1), "nowhere", "not found")
	})
}

// TestReported gives what is only found out later: it is said on status, with
// what to do, and the others go on.
func TestReported(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "good")
	bad := "apiVersion: v1\nkind: Config\nthis is no kubeconfig: ["
	kubectl(t, "", "create", "secret", "generic", "garbage", "--from-literal=kubeconfig="+bad, "-n", ns)
	kubectl(t, targetManifest(ns, "garbage", "garbage"), "apply", "-f", "-")
	kubectl(t, targetManifest(ns, "nosecret", "missing"), "apply", "-f", "-")
	execs := strings.Replace(sampleKubeconfig, "token: t", "exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/true, interactiveMode: Never}", 1)
	kubectl(t, "", "create", "secret", "generic", "execs", "--from-literal=kubeconfig="+execs, "-n", ns)
	kubectl(t, targetManifest(ns, "execs", "execs"), "apply", "-f", "-")
	kubectl(t, "", "create", "secret", "generic", "dead", "--from-literal=kubeconfig="+sampleKubeconfig, "-n", ns)
	kubectl(t, targetManifest(ns, "dead", "dead"), "apply", "-f", "-")

	for target, words := range map[string][]string{
		"garbage":  {"garbage", "kubeconfig"},
		"nosecret": {"missing", "create it"},
		"execs":    {"exec"},
		"dead":     {"127.0.0.1:1"},
	} {
		waitTarget(t, ns, target, metav1.ConditionFalse, words...)
	}

	kubectl(t, generic(ns, "good", "podinfo-lite", "1.0.0", []string{"good"}, ""), "apply", "-f", "-")
	kubectl(t, generic(ns, "half", "podinfo-lite", "1.0.0", []string{"good", "garbage"}, "      releaseName: half\n"), "apply", "-f", "-")
	kubectl(t, generic(ns, "nochart", "no-such-chart", "1.0.0", []string{"good"}, ""), "apply", "-f", "-")
	kubectl(t, generic(ns, "noversion", "podinfo-lite", "9.9.9", []string{"good"}, ""), "apply", "-f", "-")
	kubectl(t, strings.Replace(generic(ns, "norepo", "podinfo-lite", "1.0.0", []string{"good"}, ""), testCharts(), "https://127.0.0.1:1/charts", 1), "apply", "-f", "-")
	kubectl(t, generic(ns, "notarget", "podinfo-lite", "1.0.0", []string{"nobody"}, ""), "apply", "-f", "-")
	kubectl(t, generic(ns, "template", "bad-template", "1.0.0", []string{"good"}, ""), "apply", "-f", "-")

	waitPhase(t, ns, "good", v1alpha1.PhaseRunning)
	waitMessage(t, ns, "half", v1alpha1.PhasePending, "garbage")
	waitMessage(t, ns, "nochart", v1alpha1.PhaseFailed, "no-such-chart")
	waitMessage(t, ns, "noversion", v1alpha1.PhaseFailed, "9.9.9", "2.0.0")
	waitMessage(t, ns, "norepo", "", "127.0.0.1")
	waitMessage(t, ns, "notarget", v1alpha1.PhasePending, "nobody", "create it")
	waitMessage(t, ns, "template", v1alpha1.PhaseFailed, "template")

	t.Run("and mended", func(t *testing.T) {
		kubectl(t, "", "delete", "secret", "garbage", "-n", ns)
		kubectl(t, "", "create", "secret", "generic", "garbage", "--from-file=kubeconfig="+s.bed.Targets[1].Kubeconfig, "-n", ns)
		waitTarget(t, ns, "garbage", metav1.ConditionTrue)
		waitPhase(t, ns, "half", v1alpha1.PhaseRunning)
		kubectl(t, generic(ns, "noversion", "podinfo-lite", "2.0.0", []string{"good"}, ""), "apply", "-f", "-")
		waitPhase(t, ns, "noversion", v1alpha1.PhaseRunning)
	})
	t.Run("the secret stays secret", func(t *testing.T) {
		out := kubectl(t, "", "get", "events,integrations,integrationtargets,installations", "-n", ns, "-o", "yaml")
		if strings.Contains(out, "client-key-data") || strings.Contains(out, "this is no kubeconfig") {
			t.Error("content of a kubeconfig shows")
		}
	})
}

const sampleKubeconfig = `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`

func waitTarget(t testing.TB, ns, name string, ready metav1.ConditionStatus, words ...string) {
	t.Helper()
	var message string
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		target, err := s.ksit.KsitV1alpha1().IntegrationTargets(ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false
		}
		for _, c := range target.Status.Conditions {
			if c.Type == v1alpha1.ConditionReady {
				message = c.Message
				return c.Status == ready && hasAll(c.Message, words)
			}
		}
		return false
	}) {
		t.Fatalf("IntegrationTarget %s/%s did not become ready=%s with %q: it says %q", ns, name, ready, words, message)
	}
}

// waitMessage waits for a phase, any when empty, with all words in the message.
func waitMessage(t testing.TB, ns, name string, phase v1alpha1.Phase, words ...string) {
	t.Helper()
	var last *v1alpha1.Integration
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		i, err := s.ksit.KsitV1alpha1().Integrations(ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false
		}
		last = i
		return (phase == "" || i.Status.Phase == phase) && hasAll(i.Status.Message, words)
	}) {
		t.Fatalf("Integration %s/%s did not become %s with %q:\n%s", ns, name, phase, words, describe(t, ns, last))
	}
}

func hasAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
