// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
)

func TestValidatePoliciesOfLifecycle(t *testing.T) {
	for name, test := range map[string]struct {
		mutate func(*ksit.AutoInstall)
		want   []string
	}{
		"all": {mutate: func(a *ksit.AutoInstall) {
			a.DeletionPolicy, a.AdoptionPolicy = ksit.DeletionPolicyDeleteAdopted, ksit.AdoptionPolicyRefuse
			a.Remediation = &ksit.Remediation{Retries: ptr(int32(0)), Strategy: ksit.RemediationLeave}
			a.Drift = &ksit.Drift{Mode: ksit.DriftCorrect}
		}},
		"no adoption policy": {
			mutate: func(a *ksit.AutoInstall) { a.AdoptionPolicy = "" }, want: []string{"a.adoptionPolicy: Required value: one of Adopt, Refuse"},
		},
		"unknown words": {
			mutate: func(a *ksit.AutoInstall) {
				a.AdoptionPolicy = "Steal"
				a.Remediation, a.Drift = &ksit.Remediation{Strategy: "Uninstall"}, &ksit.Drift{Mode: "Enabled"}
			},
			want: []string{"a.adoptionPolicy: Unsupported", "a.remediation.strategy: Unsupported", "a.drift.mode: Unsupported"},
		},
		"the most retries": {mutate: func(a *ksit.AutoInstall) {
			a.Remediation = &ksit.Remediation{Retries: ptr(int32(50)), Strategy: ksit.RemediationRollback}
		}},
		"retries without end": {
			mutate: func(a *ksit.AutoInstall) {
				a.Remediation = &ksit.Remediation{Retries: ptr(int32(51)), Strategy: ksit.RemediationRollback}
			},
			want: []string{"a.remediation.retries: must be between 0 and 50"},
		},
		"negative retries": {
			mutate: func(a *ksit.AutoInstall) {
				a.Remediation = &ksit.Remediation{Retries: ptr(int32(-1)), Strategy: ksit.RemediationRollback}
			},
			want: []string{"a.remediation.retries: must be between 0 and 50"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			install := validHelmInstall()
			test.mutate(install)
			expect(t, validateAutoInstall(install, ksit.IntegrationTypeArgoCD, field.NewPath("a")), test.want...)
		})
	}
}

func TestValidateDriftIgnore(t *testing.T) {
	paths := func(all ...string) ksit.DriftIgnore { return ksit.DriftIgnore{Kind: "Deployment", Paths: all} }
	for name, test := range map[string]struct {
		rule ksit.DriftIgnore
		want []string
	}{
		"a field of a kind": {rule: ksit.DriftIgnore{Group: "apps", Kind: "Deployment", Paths: []string{"/spec/replicas"}}},
		"a kind":            {rule: ksit.DriftIgnore{Group: "core", Kind: "Secret"}},
		"a field anywhere":  {rule: ksit.DriftIgnore{Paths: []string{"/metadata/annotations/example.com~1checked"}}},
		"names by a star":   {rule: ksit.DriftIgnore{Namespace: "argocd", Name: "system:argo*-server"}},
		"nothing":           {want: []string{"d.ignore[0]: Required value: an empty rule would ignore everything"}},
		"a group with its version": {
			rule: ksit.DriftIgnore{Group: "apps/v1", Kind: "Deployment"}, want: []string{"d.ignore[0].group: is no API group, without its version"},
		},
		"a kind in lower case": {rule: ksit.DriftIgnore{Kind: "deployments"}, want: []string{"d.ignore[0].kind: such as Deployment"}},
		"a namespace by a star": {
			rule: ksit.DriftIgnore{Namespace: "team-*"}, want: []string{"d.ignore[0].namespace: is no name of a namespace"},
		},
		"a name with a slash": {rule: ksit.DriftIgnore{Name: "a/b"}, want: []string{"d.ignore[0].name: must be the name of an object"}},
		"a long name":         {rule: ksit.DriftIgnore{Name: strings.Repeat("a", 254)}, want: []string{"d.ignore[0].name: may not be more than 253"}},
		"an escaped tilde":    {rule: paths("/data/a~0b")},
		"an index":            {rule: paths("/spec/template/spec/containers/0/image")},
		"a pointer to all":    {rule: paths(""), want: []string{"d.ignore[0].paths[0]: must name a field"}},
		"a bare slash":        {rule: paths("/"), want: []string{"d.ignore[0].paths[0]: must name a field"}},
		"a dotted path":       {rule: paths("spec.replicas"), want: []string{"d.ignore[0].paths[0]: must be a JSON pointer, which begins with a slash"}},
		"a bare tilde":        {rule: paths("/a/b~c"), want: []string{"d.ignore[0].paths[0]: a tilde as ~0"}},
		"a tilde at the end":  {rule: paths("/a~0b~"), want: []string{"d.ignore[0].paths[0]: a tilde as ~0"}},
		"no UTF-8":            {rule: paths("/a\xff"), want: []string{"d.ignore[0].paths[0]: must be UTF-8"}},
		"a long pointer":      {rule: paths("/" + strings.Repeat("a", 512)), want: []string{"d.ignore[0].paths[0]: may not be more than 512"}},
		"many pointers":       {rule: paths(make([]string, 21)...), want: []string{"d.ignore[0].paths: must have at most 20 items"}},
	} {
		t.Run(name, func(t *testing.T) {
			drift := &ksit.Drift{Mode: ksit.DriftWarn, Ignore: []ksit.DriftIgnore{test.rule}}
			expect(t, validateDrift(drift, field.NewPath("d")), test.want...)
		})
	}
	t.Run("many rules", func(t *testing.T) {
		drift := &ksit.Drift{Mode: ksit.DriftWarn, Ignore: make([]ksit.DriftIgnore, 51)}
		expect(t, validateDrift(drift, field.NewPath("d")), "d.ignore: must have at most 50 items")
	})
}
