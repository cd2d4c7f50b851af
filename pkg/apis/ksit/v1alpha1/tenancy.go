// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "slices"

// VerbUse is the verb that a user needs on an IntegrationTarget to name it in an
// Integration.
const VerbUse = "use"

// Admits tells whether Integrations of a namespace may be on a target: those of
// its own always, those of others where spec.tenancy says so.
func (t *IntegrationTarget) Admits(namespace string) bool {
	if t.Namespace == namespace {
		return true
	}
	return t.Spec.Tenancy != nil && slices.ContainsFunc(t.Spec.Tenancy.AllowedNamespaces, func(allowed string) bool {
		return allowed == AnyNamespace || allowed == namespace
	})
}

// IdentityFor returns the entry of spec.tenancy.impersonate for the Integrations
// of a namespace: its own, else that for all; nil where there is none.
func (t *IntegrationTarget) IdentityFor(namespace string) *TenantIdentity {
	if t.Spec.Tenancy == nil {
		return nil
	}
	var found *TenantIdentity
	for i := range t.Spec.Tenancy.Impersonate {
		switch entry := &t.Spec.Tenancy.Impersonate[i]; entry.Namespace {
		case namespace:
			return entry
		case AnyNamespace:
			found = entry
		}
	}
	return found
}
