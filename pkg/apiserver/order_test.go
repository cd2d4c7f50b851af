// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestCyclesAreRefused goes through the whole server: what admission reads, it
// reads through the server itself.
func TestCyclesAreRefused(t *testing.T) {
	t.Parallel()
	integrations := start(t).ksit.KsitV1alpha1().Integrations("default")
	after := func(name string, before ...string) *v1alpha1.Integration {
		integration := newIntegration(name)
		for _, b := range before {
			integration.Spec.DependsOn = append(integration.Spec.DependsOn, v1alpha1.IntegrationDependency{Name: b})
		}
		return integration
	}
	// In any order: what comes first may be created last.
	for _, integration := range []*v1alpha1.Integration{after("a", "b"), after("b", "c")} {
		if _, err := integrations.Create(t.Context(), integration, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := integrations.Create(t.Context(), after("c", "a"), metav1.CreateOptions{})
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "c → a → b → c") {
		t.Fatalf("a cycle was created: error %v", err)
	}
	created, err := integrations.Create(t.Context(), after("c"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	created.Spec.DependsOn = after("c", "b").Spec.DependsOn
	if _, err := integrations.Update(t.Context(), created, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("an update made a cycle: error %v", err)
	}
	created.Spec.DependsOn = after("c", "later").Spec.DependsOn
	if _, err := integrations.Update(t.Context(), created, metav1.UpdateOptions{}); err != nil {
		t.Errorf("one that does not exist yet: %v", err)
	}
}
