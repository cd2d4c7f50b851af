// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package ksit_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	apply "ksit.io/ksit/pkg/generated/applyconfiguration/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned/fake"
	typedv1alpha1 "ksit.io/ksit/pkg/generated/clientset/versioned/typed/ksit/v1alpha1"
)

// statusWriter is what the controller needs of each kind.
type statusWriter[T, A any] interface {
	UpdateStatus(ctx context.Context, object *T, opts metav1.UpdateOptions) (*T, error)
	Apply(ctx context.Context, config *A, opts metav1.ApplyOptions) (*T, error)
	ApplyStatus(ctx context.Context, config *A, opts metav1.ApplyOptions) (*T, error)
}

var (
	_ statusWriter[v1alpha1.Installation, apply.InstallationApplyConfiguration]           = typedv1alpha1.InstallationInterface(nil)
	_ statusWriter[v1alpha1.Integration, apply.IntegrationApplyConfiguration]             = typedv1alpha1.IntegrationInterface(nil)
	_ statusWriter[v1alpha1.IntegrationTarget, apply.IntegrationTargetApplyConfiguration] = typedv1alpha1.IntegrationTargetInterface(nil)
)

// TestApply has two managers apply the parts of one object. The fake tracks
// ownership with the schema that was generated into the apply configurations.
func TestApply(t *testing.T) {
	ctx := t.Context()
	const namespace, name = "team", "argocd"
	client := fake.NewClientset().KsitV1alpha1().Integrations(namespace)

	spec := apply.Integration(name, namespace).WithSpec(apply.IntegrationSpec().
		WithType(v1alpha1.IntegrationTypeArgoCD).
		WithTargetClusters("a", "b"))
	if _, err := client.Apply(ctx, spec, metav1.ApplyOptions{FieldManager: "user"}); err != nil {
		t.Fatalf("applying the spec: %v", err)
	}
	for _, target := range []string{"a", "b"} {
		status := apply.Integration(name, namespace).WithStatus(apply.IntegrationStatus().
			WithTargetSummaries(apply.TargetSummary().WithTarget(target).WithPhase(v1alpha1.PhaseRunning)))
		if _, err := client.ApplyStatus(ctx, status, metav1.ApplyOptions{FieldManager: "manager-" + target}); err != nil {
			t.Fatalf("applying the status of %s: %v", target, err)
		}
	}

	got, err := client.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, got.Spec.TargetClusters); diff != "" {
		t.Errorf("clusters, want (-), got (+):\n%s", diff)
	}
	want := []v1alpha1.TargetSummary{
		{Target: "a", Phase: v1alpha1.PhaseRunning},
		{Target: "b", Phase: v1alpha1.PhaseRunning},
	}
	if diff := cmp.Diff(want, got.Status.TargetSummaries); diff != "" {
		t.Errorf("summaries of two managers, want (-), got (+):\n%s", diff)
	}
	// What one manager owns is found again in what all of them made. (The fake
	// does not tell the status from the rest.)
	extracted, err := apply.ExtractIntegration(got, "manager-b")
	if err != nil {
		t.Fatalf("extracting what manager-b owns: %v", err)
	}
	if extracted.Spec != nil || extracted.Status == nil || len(extracted.Status.TargetSummaries) != 1 || *extracted.Status.TargetSummaries[0].Target != "b" {
		t.Errorf("extracted spec %+v and status %+v, want the summary of b alone", extracted.Spec, extracted.Status)
	}
}
