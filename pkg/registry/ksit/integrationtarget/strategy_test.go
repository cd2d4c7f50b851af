// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integrationtarget

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

func stored(t *testing.T) *ksit.IntegrationTarget {
	t.Helper()
	target := &ksit.IntegrationTarget{
		ObjectMeta: metav1.ObjectMeta{Name: "prod-1", Namespace: "team-a", Generation: 5, Labels: map[string]string{"tier": "prod"}},
		Spec:       ksit.IntegrationTargetSpec{KubeconfigSecret: "prod-1"},
		Status:     ksit.IntegrationTargetStatus{Ready: true},
	}
	rest.FillObjectMetaSystemFields(&target.ObjectMeta)
	if err := rest.BeforeCreate(newStrategy(t), testContext(), target); err != nil {
		t.Fatal(err)
	}
	return target
}

func TestCreate(t *testing.T) {
	target := stored(t)
	if target.Generation != 1 {
		t.Errorf("generation is %d, want 1", target.Generation)
	}
	if diff := cmp.Diff(ksit.IntegrationTargetStatus{}, target.Status); diff != "" {
		t.Errorf("a new object has a status (-want +got)\n%s", diff)
	}
	if target.Spec.ClusterName != "prod-1" {
		t.Errorf("the cluster is named %q", target.Spec.ClusterName)
	}
}

func TestUpdate(t *testing.T) {
	for name, test := range map[string]struct {
		mutate     func(*ksit.IntegrationTarget)
		generation int64
		want       string
	}{
		"nothing":      {func(*ksit.IntegrationTarget) {}, 1, ""},
		"labels":       {func(i *ksit.IntegrationTarget) { i.Labels["a"] = "b" }, 1, ""},
		"status":       {func(i *ksit.IntegrationTarget) { i.Status.Ready = true }, 1, ""},
		"suspend":      {func(i *ksit.IntegrationTarget) { i.Spec.Suspend = true }, 2, ""},
		"secret":       {func(i *ksit.IntegrationTarget) { i.Spec.KubeconfigSecret = "new" }, 2, ""},
		"no secret":    {func(i *ksit.IntegrationTarget) { i.Spec.KubeconfigSecret = "" }, 2, "spec.kubeconfigSecret: Required value"},
		"cluster name": {func(i *ksit.IntegrationTarget) { i.Spec.ClusterName = "new" }, 2, "spec.clusterName: Invalid value: \"new\": field is immutable"},
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
	old.Finalizers = []string{"ksit.io/in-use"}
	updated := old.DeepCopy()
	updated.Status = ksit.IntegrationTargetStatus{Ready: true, Version: "v1.37.2"}
	updated.Spec.Suspend = true
	updated.Labels, updated.Finalizers = nil, nil
	strategy := NewStatusStrategy(newStrategy(t))
	if err := rest.BeforeUpdate(strategy, testContext(), updated, old); err != nil {
		t.Fatal(err)
	}
	want := old.DeepCopy()
	want.Status = updated.Status
	if diff := cmp.Diff(want, updated); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	updated.Status.Installations = -1
	if err := rest.BeforeUpdate(strategy, testContext(), updated, old); err == nil || !strings.Contains(err.Error(), "status.installations: Invalid value") {
		t.Errorf("got %v", err)
	}
}

func TestGetAttrs(t *testing.T) {
	target := stored(t)
	target.Status.Ready = true
	_, fields, err := GetAttrs(target)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"metadata.name": "prod-1", "metadata.namespace": "team-a", "spec.clusterName": "prod-1", "status.ready": "true",
	}
	if diff := cmp.Diff(want, map[string]string(fields)); diff != "" {
		t.Errorf("fields (-want +got)\n%s", diff)
	}
	if _, _, err := GetAttrs(&ksit.Installation{}); err == nil {
		t.Error("an object of another kind is no error")
	}
}
