// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

func TestValidateInstallation(t *testing.T) {
	for name, test := range map[string]struct {
		mutate func(*ksit.Installation)
		want   []string
	}{
		"valid":          {mutate: func(*ksit.Installation) {}},
		"no autoInstall": {mutate: func(i *ksit.Installation) { i.Spec.AutoInstall = nil }},
		"long name":      {mutate: func(i *ksit.Installation) { i.Name = strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) }},
		"bad name": {
			mutate: func(i *ksit.Installation) { i.Name = "argocd/prod" },
			want:   []string{"metadata.name: a lowercase RFC 1123 subdomain"},
		},
		"nothing": {
			mutate: func(i *ksit.Installation) { i.Spec = ksit.InstallationSpec{} },
			want:   []string{"spec.integration: Required", "spec.target: Required", "spec.type: Required"},
		},
		"names that are no DNS labels": {
			mutate: func(i *ksit.Installation) { i.Spec.Integration, i.Spec.Target = "a.b", "A" },
			want:   []string{"spec.integration: must not contain dots", "spec.target: lower case"},
		},
		"what an Integration may not have": {
			mutate: func(i *ksit.Installation) {
				i.Spec.AutoInstall.HelmConfig.Repository = "ftp://example.com"
				i.Spec.Config["namespace"] = "A"
			},
			want: []string{"spec.autoInstall.helmConfig.repository: with scheme", "spec.config[namespace]: is no name of a namespace"},
		},
		"long reconcile request": {
			mutate: func(i *ksit.Installation) { i.Spec.ReconcileRequest = strings.Repeat("1", 257) },
			want:   []string{"spec.reconcileRequest: may not be more than 256"},
		},
		"what the controller says": {mutate: func(i *ksit.Installation) {
			i.Spec.WaitsFor = strings.Repeat("w", v1alpha1.MaxWaitsFor)
			i.Spec.SourcesDigest = "sha256:" + strings.Repeat("0", 64)
		}},
		"what the controller says at length": {
			mutate: func(i *ksit.Installation) {
				i.Spec.WaitsFor, i.Spec.SourcesDigest = strings.Repeat("w", 513), strings.Repeat("0", 129)
			},
			want: []string{"spec.waitsFor: may not be more than 512", "spec.sourcesDigest: may not be more than 128"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, ValidateInstallation(validInstallation(test.mutate)), test.want...)
		})
	}
}

func TestValidateInstallationUpdate(t *testing.T) {
	for name, test := range map[string]struct {
		mutate func(*ksit.Installation)
		want   []string
	}{
		"nothing":   {mutate: func(*ksit.Installation) {}},
		"version":   {mutate: func(i *ksit.Installation) { i.Spec.AutoInstall.HelmConfig.Version = "5.52.0" }},
		"reconcile": {mutate: func(i *ksit.Installation) { i.Spec.ReconcileRequest = "2" }},
		"what it is": {
			mutate: func(i *ksit.Installation) {
				i.Spec.Integration, i.Spec.Target, i.Spec.Type = "b", "c", ksit.IntegrationTypeFlux
			},
			want: []string{"spec.integration: immutable", "spec.target: immutable", "spec.type: immutable"},
		},
		"to something invalid": {
			mutate: func(i *ksit.Installation) { i.Spec.AutoInstall.TimeoutSeconds = ptr(int32(1)) },
			want:   []string{"spec.autoInstall.timeoutSeconds: between 10 and 7200"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, ValidateInstallationUpdate(validInstallation(test.mutate), validInstallation()), test.want...)
		})
	}
}

func TestValidateInstallationStatusUpdate(t *testing.T) {
	now := metav1.NewTime(time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC))
	for name, test := range map[string]struct {
		status ksit.InstallationStatus
		want   []string
	}{
		"empty": {},
		"full": {status: ksit.InstallationStatus{
			ObservedGeneration: 1, Phase: ksit.PhaseDegraded, Conditions: validConditions(),
			Releases:      []ksit.ReleaseStatus{{Name: "istio-base", Namespace: "istio-system", Revision: 1, Objects: 14}},
			Checks:        []ksit.CheckResult{{Name: "objects", State: ksit.CheckPassed}},
			Unhealthy:     []ksit.UnhealthyResource{{Kind: "Deployment", Name: "istiod", State: ksit.CheckFailed}},
			LastOperation: &ksit.Operation{Type: ksit.OperationInstall, Outcome: ksit.OperationSucceeded, StartedAt: now},
			Drifted:       []ksit.DriftedResource{{Kind: "ConfigMap", Name: "a", Missing: true, Fields: []string{"/data/a"}}},
			Retries:       2, AttemptedDigest: "sha256:0", Values: "a: 1\n",
		}},
		"a rollback": {status: ksit.InstallationStatus{
			LastOperation: &ksit.Operation{Type: ksit.OperationRollback, Outcome: ksit.OperationFailed, StartedAt: now},
		}},
		"a correction": {status: ksit.InstallationStatus{
			LastOperation: &ksit.Operation{Type: ksit.OperationCorrect, Outcome: ksit.OperationRunning, StartedAt: now},
		}},
		"drift": {
			status: ksit.InstallationStatus{Drifted: []ksit.DriftedResource{
				{}, {Kind: "A", Name: "a", Fields: make([]string, 6)}, {Kind: "A", Name: "b", Fields: []string{strings.Repeat("/", 1025)}},
			}},
			want: []string{
				"status.drifted[0].kind: Required", "status.drifted[0].name: Required",
				"status.drifted[1].fields: at most 5 items", "status.drifted[2].fields[0]: may not be more than 1024",
			},
		},
		"negative": {
			status: ksit.InstallationStatus{
				ObservedGeneration: -1, Failures: -1, Retries: -1, Releases: []ksit.ReleaseStatus{{Revision: -1, Objects: -1}},
			},
			want: []string{
				"status.observedGeneration: negative", "status.failures: negative", "status.retries: negative", "status.releases[0].name: Required",
				"status.releases[0].namespace: Required", "status.releases[0].revision: negative", "status.releases[0].objects: negative",
			},
		},
		"words": {
			status: ksit.InstallationStatus{
				Phase:         "Happy",
				Checks:        []ksit.CheckResult{{State: "Good"}},
				Unhealthy:     []ksit.UnhealthyResource{{State: ksit.CheckPassed}},
				LastOperation: &ksit.Operation{Type: "Fix", Outcome: "Done"},
			},
			want: []string{
				"status.phase: Unsupported", "status.checks[0].name: Required", "status.checks[0].state: Unsupported",
				"status.unhealthy[0].kind: Required", "status.unhealthy[0].name: Required", "status.unhealthy[0].state: Unsupported",
				"status.lastOperation.type: Unsupported", "status.lastOperation.outcome: Unsupported", "status.lastOperation.startedAt: Required",
			},
		},
		"too much": {
			status: ksit.InstallationStatus{
				Releases: make([]ksit.ReleaseStatus, 17), Checks: make([]ksit.CheckResult, 33), Unhealthy: make([]ksit.UnhealthyResource, 21),
				Drifted: make([]ksit.DriftedResource, 21), Values: strings.Repeat("v", 8<<10+1), AttemptedDigest: strings.Repeat("0", 129),
			},
			want: []string{
				"status.releases: at most 16 items", "status.checks: at most 32 items", "status.unhealthy: at most 20 items",
				"status.drifted: at most 20 items", "status.attemptedDigest: may not be more than 128", "status.values: may not be more than 8192",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			installation := validInstallation(func(i *ksit.Installation) { i.Status = test.status })
			expect(t, ValidateInstallationStatusUpdate(installation), test.want...)
		})
	}
}
