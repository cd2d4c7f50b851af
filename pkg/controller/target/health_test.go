// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// A kubeconfig that can do nothing but impersonate is enough where there is
// nobody for whom KSIT would act with its power.
func TestActsOnlyAsTenants(t *testing.T) {
	as := func(namespaces ...string) []v1alpha1.TenantIdentity {
		var out []v1alpha1.TenantIdentity
		for _, namespace := range namespaces {
			out = append(out, v1alpha1.TenantIdentity{Namespace: namespace, User: "tenant"})
		}
		return out
	}
	for name, test := range map[string]struct {
		tenancy *v1alpha1.TargetTenancy
		want    bool
	}{
		"no tenancy":                         {},
		"nobody is impersonated":             {tenancy: &v1alpha1.TargetTenancy{AllowedNamespaces: []string{"a"}}},
		"everybody is":                       {tenancy: &v1alpha1.TargetTenancy{AllowedNamespaces: []string{"*"}, Impersonate: as("*")}, want: true},
		"the target's own namespace is not":  {tenancy: &v1alpha1.TargetTenancy{AllowedNamespaces: []string{"a"}, Impersonate: as("a")}},
		"each by its name":                   {tenancy: &v1alpha1.TargetTenancy{AllowedNamespaces: []string{"a"}, Impersonate: as("a", "platform")}, want: true},
		"one of the others is not":           {tenancy: &v1alpha1.TargetTenancy{AllowedNamespaces: []string{"a", "b"}, Impersonate: as("a", "platform")}},
		"any other may come, and is not":     {tenancy: &v1alpha1.TargetTenancy{AllowedNamespaces: []string{"*"}, Impersonate: as("a", "platform")}},
		"only the target's own, as somebody": {tenancy: &v1alpha1.TargetTenancy{Impersonate: as("platform")}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			target := &v1alpha1.IntegrationTarget{
				ObjectMeta: metav1.ObjectMeta{Namespace: "platform", Name: "one"},
				Spec:       v1alpha1.IntegrationTargetSpec{Tenancy: test.tenancy},
			}
			if got := actsOnlyAsTenants(target); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
