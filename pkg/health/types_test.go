// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/health"
	"ksit.io/ksit/test/env"
)

const (
	isPassed      = v1alpha1.CheckPassed
	isProgressing = v1alpha1.CheckProgressing
	isFailed      = v1alpha1.CheckFailed
)

// with returns the checks with some of them changed.
func with(checks map[string]v1alpha1.CheckState, change map[string]v1alpha1.CheckState) map[string]v1alpha1.CheckState {
	changed := maps.Clone(checks)
	maps.Copy(changed, change)
	return changed
}

func (f *fixture) testArgoCD(t *testing.T) {
	ids := f.create(t, load(t, "argocd")...)
	f.wait(t, ids)
	good := map[string]v1alpha1.CheckState{
		"objects": isPassed, "application-controller": isPassed, "repo-server": isPassed, "server": isPassed, "redis": isPassed,
		"applicationset-controller": isPassed, "notifications-controller": isPassed, "dex-server": isPassed, "crds": isPassed,
	}
	installed := health.Input{Type: v1alpha1.IntegrationTypeArgoCD, Namespace: "argocd", Objects: ids}
	expect(t, f.probe(t, installed), isPassed, good)

	// Somebody else's: nothing is known but the namespace.
	found := health.Input{Type: v1alpha1.IntegrationTypeArgoCD, Namespace: "argocd"}
	goodFound := maps.Clone(good)
	delete(goodFound, "objects")
	expect(t, f.probe(t, found), isPassed, goodFound)

	elsewhere := f.probe(t, health.Input{Type: v1alpha1.IntegrationTypeArgoCD, Namespace: "elsewhere"})
	expect(t, elsewhere, isFailed, map[string]v1alpha1.CheckState{
		"application-controller": isFailed, "repo-server": isFailed, "server": isFailed, "redis": isFailed, "crds": isPassed})
	if got := check(elsewhere, "redis").Message; got != "not found in namespace elsewhere" {
		t.Errorf("got %q", got)
	}

	// A component that the values leave out is none that is missed.
	redis := id("apps", "Deployment", "argocd", "argocd-redis")
	f.remove(t, redis)
	secret := id("", "Secret", "argocd", "argocd-secret")
	f.remove(t, secret)
	without := installed
	without.Objects = ids.Remove(redis).Remove(secret)
	expect(t, f.probe(t, without), isPassed, good)
	report := f.probe(t, installed)
	expect(t, report, isFailed, with(good, map[string]v1alpha1.CheckState{"objects": isFailed, "redis": isFailed}))
	if len(report.Unhealthy) != 2 || report.Unhealthy[0].Name != "argocd-redis" || report.Unhealthy[1].Reason != "NotFound" {
		t.Errorf("got %+v", report.Unhealthy)
	}
	expect(t, f.probe(t, found), isFailed, with(goodFound, map[string]v1alpha1.CheckState{"redis": isFailed}))

	// A rollout that goes on is progress.
	server := id("apps", "Deployment", "argocd", "argocd-server")
	f.patch(t, server, map[string]any{"spec": map[string]any{"template": map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{env.PodOutcome: env.PodPending}}}}})
	time.Sleep(2 * time.Second)
	report = f.probe(t, without)
	expect(t, report, isProgressing, with(good, map[string]v1alpha1.CheckState{"objects": isProgressing, "server": isProgressing}))
	if len(report.Unhealthy) != 1 || report.Unhealthy[0].Reason != "PodStarting" {
		t.Errorf("got %+v", report.Unhealthy)
	}
}

func (f *fixture) testPrometheus(t *testing.T) {
	const ns, group = "monitoring", "monitoring.coreos.com"
	ids := f.create(t, load(t, "prometheus")...)
	f.wait(t, ids)
	in := health.Input{Type: v1alpha1.IntegrationTypePrometheus, Namespace: ns, Objects: ids}
	good := map[string]v1alpha1.CheckState{
		"objects": isPassed, "operator": isPassed, "prometheus": isPassed, "alertmanager": isPassed,
		"grafana": isPassed, "kube-state-metrics": isPassed, "node-exporter": isPassed, "crds": isPassed,
	}
	expect(t, f.probe(t, in), isProgressing, with(good, map[string]v1alpha1.CheckState{"prometheus": isProgressing, "alertmanager": isProgressing}))

	// What the operator does, whose part the test plays.
	const name = "prometheus-kube-prometheus-"
	for kind, prefix := range map[string]string{"Prometheus": "prometheus", "Alertmanager": "alertmanager"} {
		set := fmt.Sprintf("%s-%s%s", prefix, name, prefix)
		f.wait(t, f.create(t, parseAll(t, fmt.Appendf(nil, `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: %[1]s, namespace: %[2]s}
spec: {replicas: 1, serviceName: x, selector: {matchLabels: {app: %[1]s}}, template: {metadata: {labels: {app: %[1]s}}, spec: {containers: [{name: main, image: example.test/i:1}]}}}
`, set, ns))...))
		f.patchStatus(t, id(group, kind, ns, name+prefix), map[string]any{"conditions": []any{
			map[string]any{"type": "Reconciled", "status": "True", "observedGeneration": 1},
			map[string]any{"type": "Available", "status": "True", "observedGeneration": 1},
		}})
	}
	expect(t, f.probe(t, in), isPassed, good)

	// What the operator says of an object it cannot do.
	f.patchStatus(t, id(group, "Alertmanager", ns, name+"alertmanager"), map[string]any{"conditions": []any{
		map[string]any{"type": "Reconciled", "status": "False", "observedGeneration": 1, "reason": "ReconciliationFailed", "message": "no such secret"},
	}})
	report := f.probe(t, in)
	expect(t, report, isFailed, with(good, map[string]v1alpha1.CheckState{"alertmanager": isFailed}))
	if got := check(report, "alertmanager").Message; !strings.Contains(got, "no such secret") {
		t.Errorf("got %q", got)
	}
}

func (f *fixture) testIstio(t *testing.T) {
	const ns = "istio-system"
	ids := f.create(t, load(t, "istio")...)
	f.wait(t, ids)
	in := health.Input{Type: v1alpha1.IntegrationTypeIstio, Namespace: ns, Objects: ids}
	good := map[string]v1alpha1.CheckState{"objects": isPassed, "istiod": isPassed, "webhooks": isPassed, "crds": isPassed}
	// istiod is ready, and had no time yet.
	report := f.probe(t, in)
	expect(t, report, isProgressing, with(good, map[string]v1alpha1.CheckState{"webhooks": isProgressing}))
	if got := check(report, "webhooks").Message; !strings.Contains(got, "MutatingWebhookConfiguration istio-sidecar-injector") {
		t.Errorf("got %q", got)
	}
	// What istiod does.
	validating, err := f.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(t.Context(), metav1.ListOptions{LabelSelector: "app=istiod"})
	if err != nil || len(validating.Items) != 2 {
		t.Fatalf("%d, %v", len(validating.Items), err)
	}
	// The API server parses the bundle, so it must be a real one.
	bundle := f.Config.CAData
	for _, w := range validating.Items {
		for i := range w.Webhooks {
			w.Webhooks[i].ClientConfig.CABundle = bundle
		}
		if _, err := f.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(t.Context(), &w, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	mutating, err := f.Client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "istio-sidecar-injector", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	mutating.Webhooks[0].ClientConfig.CABundle = bundle
	if mutating, err = f.Client.AdmissionregistrationV1().MutatingWebhookConfigurations().Update(t.Context(), mutating, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	// One webhook of the two is not enough.
	expect(t, f.probe(t, in), isProgressing, with(good, map[string]v1alpha1.CheckState{"webhooks": isProgressing}))
	mutating.Webhooks[1].ClientConfig.CABundle = bundle
	if _, err = f.Client.AdmissionregistrationV1().MutatingWebhookConfigurations().Update(t.Context(), mutating, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	expect(t, f.probe(t, in), isPassed, good)
}

func (f *fixture) testFlux(t *testing.T) {
	const ns = "flux-system"
	ids := f.create(t, load(t, "flux")...)
	f.wait(t, ids)
	// The manifest names its own namespace, whatever the Integration's.
	in := health.Input{Type: v1alpha1.IntegrationTypeFlux, Namespace: "flux", Objects: ids}
	good := map[string]v1alpha1.CheckState{
		"objects": isPassed, "source-controller": isPassed, "kustomize-controller": isPassed, "helm-controller": isPassed,
		"notification-controller": isPassed, "image-reflector-controller": isPassed, "image-automation-controller": isPassed, "crds": isPassed,
	}
	expect(t, f.probe(t, in), isPassed, good)

	// What users ask of Flux and it cannot do is told, and is no failure.
	apps := parseAll(t, []byte("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: good, namespace: apps}\n---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: bad, namespace: apps}\n"))
	for i, app := range f.create(t, apps...) {
		f.patchStatus(t, app, map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": []string{"True", "False"}[i]}}})
	}
	report := f.probe(t, in)
	expect(t, report, isPassed, with(good, map[string]v1alpha1.CheckState{"flux-objects": isPassed}))
	if got, want := check(report, "flux-objects").Message, "of 2 Flux objects 1 are not ready: Kustomization apps/bad"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	f.remove(t, id("apiextensions.k8s.io", "CustomResourceDefinition", "", "helmreleases.helm.toolkit.fluxcd.io"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := health.WaitDeleted(ctx, f.conn, ids[len(ids)-7:len(ids)-6]); err != nil {
		t.Fatal(err)
	}
	report = f.probe(t, in)
	expect(t, report, isFailed, with(good, map[string]v1alpha1.CheckState{"objects": isFailed, "flux-objects": isPassed, "crds": isFailed}))
}

func (f *fixture) testGeneric(t *testing.T) {
	ids := f.create(t, workload(t, "Deployment", "generic", "web", ""))
	f.wait(t, ids)
	in := health.Input{Type: v1alpha1.IntegrationTypeGeneric, Namespace: "generic", Objects: ids}
	expect(t, f.probe(t, in), isPassed, map[string]v1alpha1.CheckState{"objects": isPassed})

	// The reason is that of the pod.
	pods, err := f.Client.CoreV1().Pods("generic").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("%d pods, %v", len(pods.Items), err)
	}
	pod := pods.Items[0]
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == corev1.PodReady {
			pod.Status.Conditions[i].Status = corev1.ConditionFalse
		}
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", Image: "example.test/i:1", RestartCount: 7,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3}}}}
	changed := make(chan struct{}, 100)
	defer f.conn.OnWorkloadChange(func(object.ObjMetadata) { changed <- struct{}{} })()
	time.Sleep(500 * time.Millisecond)
	if _, err := f.Client.CoreV1().Pods("generic").UpdateStatus(t.Context(), &pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Fatal("no change of the Deployment was told")
	}
	report := f.probe(t, in)
	if report.State != isFailed || len(report.Unhealthy) != 1 || report.Unhealthy[0].Reason != "CrashLoopBackOff" {
		t.Errorf("got %+v", report)
	}
	t.Log(report.Unhealthy)

	if got := health.Probe(t.Context(), f.conn, health.Input{Type: v1alpha1.IntegrationTypeGeneric, Namespace: "generic"}); got.State != v1alpha1.CheckUnknown {
		t.Errorf("got %+v", got)
	}
}
