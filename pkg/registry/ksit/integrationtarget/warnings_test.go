// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integrationtarget

import (
	"strings"
	"testing"

	"ksit.io/ksit/pkg/apis/ksit"
)

func TestWarnings(t *testing.T) {
	entry := func(namespace string) ksit.TenantIdentity {
		return ksit.TenantIdentity{Namespace: namespace, User: "u"}
	}
	const power = "it gets all the power of the kubeconfig"
	for name, test := range map[string]struct {
		tenancy *ksit.TargetTenancy
		want    []string
	}{
		"none":           {},
		"for itself":     {tenancy: &ksit.TargetTenancy{}},
		"as somebody":    {tenancy: &ksit.TargetTenancy{AllowedNamespaces: []string{"a"}, Impersonate: []ksit.TenantIdentity{entry("a")}}},
		"all as one":     {tenancy: &ksit.TargetTenancy{AllowedNamespaces: []string{"a", "*"}, Impersonate: []ksit.TenantIdentity{entry("*")}}},
		"one as nobody":  {&ksit.TargetTenancy{AllowedNamespaces: []string{"a", "b"}, Impersonate: []ksit.TenantIdentity{entry("a")}}, []string{"for b: " + power}},
		"all as nobody":  {&ksit.TargetTenancy{AllowedNamespaces: []string{"*"}}, []string{"for *: " + power}},
		"many as nobody": {&ksit.TargetTenancy{AllowedNamespaces: strings.Fields("a b c d e f g")}, []string{power, power, power, power, power, "more"}},
	} {
		t.Run(name, func(t *testing.T) {
			target := &ksit.IntegrationTarget{}
			target.Spec.Tenancy = test.tenancy
			got := (Strategy{}).WarningsOnCreate(t.Context(), target)
			if len(got) != len(test.want) {
				t.Fatalf("warns %q", got)
			}
			for i, words := range test.want {
				if !strings.Contains(got[i], words) || len(got[i]) > 120 {
					t.Errorf("warns %q, want %q", got[i], words)
				}
			}
			if again := (Strategy{}).WarningsOnUpdate(t.Context(), target, target); again != nil {
				t.Errorf("warns of what did not change: %q", again)
			}
		})
	}
}
