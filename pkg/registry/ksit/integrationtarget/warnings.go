// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integrationtarget

import (
	"slices"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// maxPowerful is how many namespaces are warned of one by one.
const maxPowerful = 5

// warnings says what of a valid IntegrationTarget its author may not have meant:
// a namespace that is admitted with the whole power of the kubeconfig.
func warnings(target *ksit.IntegrationTarget) []string {
	tenancy := target.Spec.Tenancy
	if tenancy == nil {
		return nil
	}
	has := func(namespace string) bool {
		return slices.ContainsFunc(tenancy.Impersonate, func(entry ksit.TenantIdentity) bool { return entry.Namespace == namespace })
	}
	if has(v1alpha1.AnyNamespace) {
		return nil
	}
	var out []string
	for _, namespace := range tenancy.AllowedNamespaces {
		if has(namespace) {
			continue
		}
		if len(out) == maxPowerful {
			return append(out, resource.Warning("spec.tenancy.impersonate: and for more namespaces"))
		}
		out = append(out, resource.Warning("spec.tenancy.impersonate: no entry for %s: it gets all the power of the kubeconfig", namespace))
	}
	return out
}
