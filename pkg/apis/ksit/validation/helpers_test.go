// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
)

// expect fails unless errs are the wanted ones, in order. Each is given by a
// part of its text: its path, a colon, and words of the message.
func expect(t *testing.T, errs field.ErrorList, want ...string) {
	t.Helper()
	for i, err := range errs {
		if i >= len(want) {
			t.Errorf("unexpected: %v", err)
			continue
		}
		path, words, _ := strings.Cut(want[i], ": ")
		if err.Field != path || !strings.Contains(err.ErrorBody(), words) {
			t.Errorf("got  %v\nwant %s", err, want[i])
		}
	}
	for _, missing := range want[min(len(errs), len(want)):] {
		t.Errorf("missing: %s", missing)
	}
}

func ptr[T any](value T) *T { return &value }

func validMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: "team-a", ResourceVersion: "1", Generation: 1}
}

func validHelmInstall() *ksit.AutoInstall {
	return &ksit.AutoInstall{
		Enabled: true,
		Method:  ksit.InstallMethodHelm,
		HelmConfig: &ksit.HelmConfig{
			Repository:  "https://argoproj.github.io/argo-helm",
			Chart:       "argo-cd",
			Version:     "5.51.6",
			ReleaseName: "argocd",
		},
		TimeoutSeconds: ptr(int32(600)),
		CRDPolicy:      ksit.CRDPolicyCreateReplace,
		DeletionPolicy: ksit.DeletionPolicyDelete,
		AdoptionPolicy: ksit.AdoptionPolicyAdopt,
	}
}

func validManifestInstall() *ksit.AutoInstall {
	install := validHelmInstall()
	install.Method = ksit.InstallMethodManifest
	install.HelmConfig = nil
	install.ManifestConfig = &ksit.ManifestConfig{URL: "https://example.com/install.yaml"}
	return install
}

func validIntegration(mutate ...func(*ksit.Integration)) *ksit.Integration {
	integration := &ksit.Integration{
		ObjectMeta: validMeta("argocd"),
		Spec: ksit.IntegrationSpec{
			Type:           ksit.IntegrationTypeArgoCD,
			Enabled:        ptr(true),
			TargetClusters: []string{"production-cluster-1", "team-a/production-cluster-2"},
			TargetSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "prod"}},
			AutoInstall:    validHelmInstall(),
			Config:         map[string]string{"namespace": "argocd"},
		},
	}
	for _, m := range mutate {
		m(integration)
	}
	return integration
}

func validTarget(mutate ...func(*ksit.IntegrationTarget)) *ksit.IntegrationTarget {
	target := &ksit.IntegrationTarget{
		ObjectMeta: validMeta("production-cluster-1"),
		Spec: ksit.IntegrationTargetSpec{
			ClusterName:      "production-cluster-1",
			KubeconfigSecret: "production-cluster-1.kubeconfig",
			Probe:            ksit.TargetProbe{IntervalSeconds: ptr(int32(30)), TimeoutSeconds: ptr(int32(10)), FailureThreshold: ptr(int32(3))},
		},
	}
	for _, m := range mutate {
		m(target)
	}
	return target
}

func validInstallation(mutate ...func(*ksit.Installation)) *ksit.Installation {
	installation := &ksit.Installation{
		ObjectMeta: validMeta("argocd.production-cluster-1"),
		Spec: ksit.InstallationSpec{
			Integration: "argocd",
			Target:      "production-cluster-1",
			Type:        ksit.IntegrationTypeArgoCD,
			Enabled:     true,
			AutoInstall: validHelmInstall(),
			Config:      map[string]string{"namespace": "argocd"},
		},
	}
	for _, m := range mutate {
		m(installation)
	}
	return installation
}

func validConditions() []metav1.Condition {
	return []metav1.Condition{{
		Type: "Ready", Status: metav1.ConditionTrue, Reason: "AllRunning",
		LastTransitionTime: metav1.NewTime(time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC)),
	}}
}

func raw(text string) *runtime.RawExtension {
	return &runtime.RawExtension{Raw: []byte(text)}
}
