// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit"
)

func TestValidateIntegration(t *testing.T) {
	for name, test := range map[string]struct {
		mutate func(*ksit.Integration)
		want   []string
	}{
		"valid": {mutate: func(*ksit.Integration) {}},
		"name is no DNS label": {
			mutate: func(i *ksit.Integration) { i.Name = "argo.cd" },
			want:   []string{"metadata.name: must not contain dots"},
		},
		"name over 63 characters": {
			mutate: func(i *ksit.Integration) { i.Name = strings.Repeat("a", 64) },
			want:   []string{"metadata.name: must be no more than 63"},
		},
		"name over 63 characters, upper case": {
			mutate: func(i *ksit.Integration) { i.Name = "Not_A_DNS Name!" },
			want:   []string{"metadata.name: lower case"},
		},
		"no namespace": {
			mutate: func(i *ksit.Integration) { i.Namespace = ""; i.Spec.TargetClusters = []string{"a"} },
			want:   []string{"metadata.namespace: Required"},
		},
		"long reconcile annotation": {
			mutate: func(i *ksit.Integration) {
				i.Annotations = map[string]string{"reconcile": strings.Repeat("1", 257)}
			},
			want: []string{"metadata.annotations[reconcile]: may not be more than 256"},
		},
		"no type": {
			mutate: func(i *ksit.Integration) { i.Spec.Type = "" },
			want:   []string{"spec.type: Required value: one of argocd, prometheus, istio, flux, generic"},
		},
		"unknown type": {
			mutate: func(i *ksit.Integration) { i.Spec.Type = "argo" },
			want:   []string{`spec.type: Unsupported value: "argo": supported values: "argocd"`},
		},
		"no targets": {
			mutate: func(i *ksit.Integration) { i.Spec.TargetClusters, i.Spec.TargetSelector = nil, nil },
			want:   []string{"spec.targetClusters: Required value: name at least one IntegrationTarget"},
		},
		"selector alone": {mutate: func(i *ksit.Integration) { i.Spec.TargetClusters = nil }},
		"list alone":     {mutate: func(i *ksit.Integration) { i.Spec.TargetSelector = nil }},
		"empty target": {
			mutate: func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"a", ""} },
			want:   []string{"spec.targetClusters[1]: Required"},
		},
		"target is no DNS label": {
			mutate: func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"a", "Prod_1", "a.b"} },
			want: []string{
				"spec.targetClusters[1]: is no name of an IntegrationTarget",
				"spec.targetClusters[2]: is no name of an IntegrationTarget",
			},
		},
		"target of another namespace": {
			mutate: func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"team-b/a", "team-c/a", "a"} },
		},
		"target of no namespace": {
			mutate: func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"/prod", "Team/prod"} },
			want: []string{
				"spec.targetClusters[0]: names no namespace before the slash",
				"spec.targetClusters[1]: names no namespace before the slash",
			},
		},
		"target of another namespace twice": {
			mutate: func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"team-b/a", "team-b/a"} },
			want:   []string{`spec.targetClusters[1]: Duplicate value: "team-b/a"`},
		},
		"target with two slashes": {
			mutate: func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"team-a/a/b", "team-a/"} },
			want: []string{
				"spec.targetClusters[0]: is no name of an IntegrationTarget",
				"spec.targetClusters[1]: Required",
			},
		},
		"target twice": {
			mutate: func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"a", "b", "a"} },
			want:   []string{`spec.targetClusters[2]: Duplicate value: "a"`},
		},
		"target twice in two forms": {
			mutate: func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"a", "team-a/a"} },
			want:   []string{`spec.targetClusters[1]: Duplicate value: "team-a/a"`},
		},
		"1000 targets": {
			mutate: func(i *ksit.Integration) { i.Spec.TargetClusters = names(1000) },
		},
		"1001 targets": {
			mutate: func(i *ksit.Integration) { i.Spec.TargetClusters = names(1001) },
			want:   []string{"spec.targetClusters: must have at most 1000 items"},
		},
		"empty selector": {
			mutate: func(i *ksit.Integration) { i.Spec.TargetSelector = &metav1.LabelSelector{} },
			want:   []string{"spec.targetSelector: Required value: an empty selector would select every target"},
		},
		"selector with a bad operator": {
			mutate: func(i *ksit.Integration) {
				i.Spec.TargetSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}}}
			},
			want: []string{"spec.targetSelector.matchExpressions[0].operator: not a valid selector operator"},
		},
		"selector with a bad value": {
			mutate: func(i *ksit.Integration) {
				i.Spec.TargetSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "no spaces"}}
			},
			want: []string{"spec.targetSelector.matchLabels: a valid label"},
		},
		"selector too long": {
			mutate: func(i *ksit.Integration) {
				for _, name := range names(65) {
					i.Spec.TargetSelector.MatchLabels[name] = ""
				}
			},
			want: []string{"spec.targetSelector: must have at most 64 items"},
		},
		"no autoInstall": {mutate: func(i *ksit.Integration) { i.Spec.AutoInstall = nil }},
		"config namespace": {
			mutate: func(i *ksit.Integration) { i.Spec.Config["namespace"] = "Argo CD" },
			want:   []string{"spec.config[namespace]: is no name of a namespace"},
		},
		"config with a system namespace": {mutate: func(i *ksit.Integration) { i.Spec.Config["namespace"] = "kube-system" }},
		"config with an unknown key":     {mutate: func(i *ksit.Integration) { i.Spec.Config["ha"] = "true" }},
		"config with bad keys": {
			mutate: func(i *ksit.Integration) {
				i.Spec.Config[""] = "x"
				i.Spec.Config["a b"] = "x"
				i.Spec.Config["z"+strings.Repeat("z", 63)] = "x"
			},
			want: []string{
				"spec.config: a key starts with a letter",
				"spec.config: a key starts with a letter",
				"spec.config[" + strings.Repeat("z", 63) + "]: may not be more than 63",
			},
		},
		"config with a long value": {
			mutate: func(i *ksit.Integration) { i.Spec.Config["a"] = strings.Repeat("x", 4097) },
			want:   []string{"spec.config[a]: may not be more than 4096"},
		},
		"config too long": {
			mutate: func(i *ksit.Integration) {
				for _, name := range names(64) {
					i.Spec.Config[name] = ""
				}
			},
			want: []string{"spec.config: must have at most 64 items"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, ValidateIntegration(validIntegration(test.mutate)), test.want...)
		})
	}
}

// A refusal must not be as long as what it refuses.
func TestFaultsAreBounded(t *testing.T) {
	errs := ValidateIntegration(validIntegration(func(i *ksit.Integration) {
		i.Spec.TargetClusters = nil
		for _, name := range names(1000) {
			i.Spec.TargetClusters = append(i.Spec.TargetClusters, "NO-"+name)
		}
		i.Spec.AutoInstall.HelmConfig.Values = map[string]string{}
		for _, name := range names(256) {
			i.Spec.AutoInstall.HelmConfig.Values["."+name] = ""
		}
	}))
	if len(errs) != 2*maxFaults {
		t.Errorf("got %d faults, want %d", len(errs), 2*maxFaults)
	}
}

func TestValidateIntegrationUpdate(t *testing.T) {
	for name, test := range map[string]struct {
		old, mutate func(*ksit.Integration)
		want        []string
	}{
		"nothing": {},
		"version": {mutate: func(i *ksit.Integration) { i.Spec.AutoInstall.HelmConfig.Version = "5.52.0" }},
		"targets": {mutate: func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"other"} }},
		"type": {
			mutate: func(i *ksit.Integration) { i.Spec.Type = ksit.IntegrationTypeFlux },
			want:   []string{`spec.type: field is immutable, it is "argocd"`},
		},
		"to something invalid": {
			mutate: func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"a", "a"} },
			want:   []string{"spec.targetClusters[1]: Duplicate"},
		},
		"from helm to manifest by halves": {
			mutate: func(i *ksit.Integration) {
				i.Spec.AutoInstall.Method = ksit.InstallMethodManifest
				i.Spec.AutoInstall.ManifestConfig = &ksit.ManifestConfig{URL: "https://example.com/x.yaml"}
			},
			want: []string{"spec.autoInstall.helmConfig: Forbidden: must not be given while method is manifest"},
		},
		"from helm to manifest": {
			mutate: func(i *ksit.Integration) { i.Spec.AutoInstall = validManifestInstall() },
		},
		"finalizers of what older rules let in": {
			old: func(i *ksit.Integration) {
				i.Spec.TargetClusters = []string{"a", "a"}
				i.Finalizers = []string{"ksit.io/installations"}
			},
			mutate: func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"a", "a"} },
		},
		"long reconcile annotation": {
			mutate: func(i *ksit.Integration) {
				i.Annotations = map[string]string{"reconcile": strings.Repeat("1", 257)}
			},
			want: []string{"metadata.annotations[reconcile]: may not be more than 256"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			old, updated := validIntegration(), validIntegration()
			if test.old != nil {
				test.old(old)
			}
			if test.mutate != nil {
				test.mutate(updated)
			}
			expect(t, ValidateIntegrationUpdate(updated, old), test.want...)
		})
	}
}

func TestValidateIntegrationStatusUpdate(t *testing.T) {
	for name, test := range map[string]struct {
		status ksit.IntegrationStatus
		want   []string
	}{
		"empty": {},
		"full": {status: ksit.IntegrationStatus{
			ObservedGeneration: 3, Phase: ksit.PhaseRunning, Conditions: validConditions(), Targets: 2, Installed: 2, Healthy: 2,
			TargetSummaries: []ksit.TargetSummary{{Target: "a", Phase: ksit.PhaseRunning}, {Target: "b", Phase: ksit.PhaseFailed}},
		}},
		"negative": {
			status: ksit.IntegrationStatus{ObservedGeneration: -1, Targets: -1, Installed: -1, Healthy: -1, Failed: -1, Updated: -1},
			want: []string{
				"status.observedGeneration: negative", "status.targets: negative", "status.installed: negative",
				"status.healthy: negative", "status.failed: negative", "status.updated: negative",
			},
		},
		"a resolved chart": {status: ksit.IntegrationStatus{ResolvedChart: &ksit.ResolvedChart{
			Repository: "https://example.com", Chart: "argo-cd", Range: "~5.51", Version: "5.51.6", Newer: "5.51.7", Newest: "6.0.0",
		}}},
		"a resolved chart at length": {
			status: ksit.IntegrationStatus{ResolvedChart: &ksit.ResolvedChart{Range: strings.Repeat("1", 129), Newest: strings.Repeat("1", 129)}},
			want:   []string{"status.resolvedChart.range: may not be more than 128", "status.resolvedChart.newest: may not be more than 128"},
		},
		"phase": {
			status: ksit.IntegrationStatus{Phase: "Happy"},
			want:   []string{"status.phase: Unsupported value"},
		},
		"message": {
			status: ksit.IntegrationStatus{Message: strings.Repeat("x", 32<<10+1)},
			want:   []string{"status.message: may not be more than 32768"},
		},
		"conditions": {
			status: ksit.IntegrationStatus{Conditions: append(validConditions(), metav1.Condition{Type: "Ready", Status: "Yes"})},
			want: []string{
				"status.conditions[1]: Duplicate", "status.conditions[1].status: Unsupported",
				"status.conditions[1].lastTransitionTime: Required", "status.conditions[1].reason: Required",
			},
		},
		"too many conditions": {
			status: ksit.IntegrationStatus{Conditions: make([]metav1.Condition, 17)},
			want:   []string{"status.conditions: must have at most 16 items"},
		},
		"summaries": {
			status: ksit.IntegrationStatus{TargetSummaries: []ksit.TargetSummary{{Target: "a"}, {Target: "a"}, {Phase: "x"}}},
			want: []string{
				"status.targetSummaries[1].target: Duplicate", "status.targetSummaries[2].target: Required",
				"status.targetSummaries[2].phase: Unsupported",
			},
		},
		"too many summaries": {
			status: ksit.IntegrationStatus{TargetSummaries: make([]ksit.TargetSummary, 21)},
			want:   []string{"status.targetSummaries: must have at most 20 items"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			integration := validIntegration(func(i *ksit.Integration) { i.Status = test.status })
			expect(t, ValidateIntegrationStatusUpdate(integration), test.want...)
		})
	}
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("name-%04d", i)
	}
	return all
}
