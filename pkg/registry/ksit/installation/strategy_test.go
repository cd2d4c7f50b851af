// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/scheme"
)

func newStrategy(t *testing.T) Strategy {
	t.Helper()
	set, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	return NewStrategy(set.Scheme)
}

func testContext() context.Context {
	return genericapirequest.WithNamespace(context.Background(), "team-a")
}

func stored(t *testing.T) *ksit.Installation {
	t.Helper()
	installation := &ksit.Installation{
		ObjectMeta: metav1.ObjectMeta{Name: "argocd.prod-1", Namespace: "team-a", Generation: 5},
		Spec: ksit.InstallationSpec{
			Integration: "argocd", Target: "prod-1", Type: ksit.IntegrationTypeArgoCD, Enabled: true,
			AutoInstall: &ksit.AutoInstall{
				Enabled: true, Method: ksit.InstallMethodHelm,
				CRDPolicy: ksit.CRDPolicyCreateReplace, DeletionPolicy: ksit.DeletionPolicyDelete, AdoptionPolicy: ksit.AdoptionPolicyAdopt,
				HelmConfig: &ksit.HelmConfig{
					Repository: "https://example.com", Chart: "argo-cd", Version: "1.0.0", ReleaseName: "argocd",
					ValuesObject: &runtime.RawExtension{Raw: []byte(`{"b": 1, "a": 2}`)},
				},
			},
		},
		Status: ksit.InstallationStatus{Phase: ksit.PhaseRunning},
	}
	rest.FillObjectMetaSystemFields(&installation.ObjectMeta)
	if err := rest.BeforeCreate(newStrategy(t), testContext(), installation); err != nil {
		t.Fatal(err)
	}
	return installation
}

func TestCreate(t *testing.T) {
	installation := stored(t)
	if installation.Generation != 1 {
		t.Errorf("generation is %d, want 1", installation.Generation)
	}
	if diff := cmp.Diff(ksit.InstallationStatus{}, installation.Status); diff != "" {
		t.Errorf("a new object has a status (-want +got)\n%s", diff)
	}
	if got, want := string(installation.Spec.AutoInstall.HelmConfig.ValuesObject.Raw), `{"a":2,"b":1}`; got != want {
		t.Errorf("valuesObject is %s, want %s", got, want)
	}
}

func TestUpdate(t *testing.T) {
	for name, test := range map[string]struct {
		mutate     func(*ksit.Installation)
		generation int64
		want       string
	}{
		"nothing":          {func(*ksit.Installation) {}, 1, ""},
		"labels":           {func(i *ksit.Installation) { i.Labels = map[string]string{"a": "b"} }, 1, ""},
		"status":           {func(i *ksit.Installation) { i.Status.Phase = ksit.PhaseRunning }, 1, ""},
		"values":           {func(i *ksit.Installation) { i.Spec.AutoInstall.HelmConfig.ValuesObject.Raw = []byte(`{"b":1, "a":2}`) }, 1, ""},
		"reconcile":        {func(i *ksit.Installation) { i.Spec.ReconcileRequest = "2" }, 2, ""},
		"disable":          {func(i *ksit.Installation) { i.Spec.Enabled = false }, 2, ""},
		"target namespace": {func(i *ksit.Installation) { i.Spec.TargetNamespace = "other" }, 2, "spec.targetNamespace: Invalid value: \"other\": field is immutable"},
		"target":           {func(i *ksit.Installation) { i.Spec.Target = "prod-2" }, 2, "spec.target: Invalid value: \"prod-2\": field is immutable"},
	} {
		t.Run(name, func(t *testing.T) {
			old := stored(t)
			old.ResourceVersion = "7"
			updated := old.DeepCopy()
			test.mutate(updated)
			err := rest.BeforeUpdate(newStrategy(t), testContext(), updated, old)
			if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if updated.Generation != test.generation {
				t.Errorf("generation is %d, want %d", updated.Generation, test.generation)
			}
			if diff := cmp.Diff(old.Status, updated.Status); diff != "" {
				t.Errorf("the status changed (-old +new)\n%s", diff)
			}
		})
	}
}

func TestStatusUpdate(t *testing.T) {
	old := stored(t)
	old.ResourceVersion = "7"
	old.Finalizers = []string{"ksit.io/uninstall"}
	updated := old.DeepCopy()
	updated.Status = ksit.InstallationStatus{Phase: ksit.PhaseInstalling}
	updated.Spec.Enabled = false
	updated.Finalizers = nil
	strategy := NewStatusStrategy(newStrategy(t))
	if err := rest.BeforeUpdate(strategy, testContext(), updated, old); err != nil {
		t.Fatal(err)
	}
	want := old.DeepCopy()
	want.Status = updated.Status
	if diff := cmp.Diff(want, updated); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	updated.Status.Unhealthy = make([]ksit.UnhealthyResource, 21)
	if err := rest.BeforeUpdate(strategy, testContext(), updated, old); err == nil || !strings.Contains(err.Error(), "status.unhealthy: Too many") {
		t.Errorf("got %v", err)
	}
}

func TestGetAttrs(t *testing.T) {
	installation := stored(t)
	installation.Status.Phase = ksit.PhaseRunning
	_, fields, err := GetAttrs(installation)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"metadata.name": "argocd.prod-1", "metadata.namespace": "team-a",
		"spec.integration": "argocd", "spec.target": "prod-1", "spec.targetNamespace": "", "spec.type": "argocd", "status.phase": "Running",
	}
	if diff := cmp.Diff(want, map[string]string(fields)); diff != "" {
		t.Errorf("fields (-want +got)\n%s", diff)
	}
	if _, _, err := GetAttrs(&ksit.Integration{}); err == nil {
		t.Error("an object of another kind is no error")
	}
}
