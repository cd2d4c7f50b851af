// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	genericregistrytest "k8s.io/apiserver/pkg/registry/generic/testing"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/registry/ksit/internal/registrytest"
)

func newStorage(t *testing.T, backend *registrytest.Backend) *Storage {
	t.Helper()
	storage, err := New(backend.Set.Scheme, backend.Getter)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(storage.IntegrationTarget.Destroy)
	return storage
}

// newTester runs the tests that the library has for every registry.
func newTester(t *testing.T) *genericregistrytest.Tester {
	t.Helper()
	backend := registrytest.New(t)
	backend.Getter = registrytest.Uncached(backend.Getter)
	return genericregistrytest.New(t, newStorage(t, backend).IntegrationTarget.Store)
}

func validTarget(name string) *ksit.IntegrationTarget {
	return &ksit.IntegrationTarget{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"tier": "prod"}},
		Spec:       ksit.IntegrationTargetSpec{ClusterName: "prod-1", KubeconfigSecret: "prod-1-kubeconfig", Probe: probe(30, 10, 3)},
	}
}

func probe(interval, timeout, threshold int32) ksit.TargetProbe {
	return ksit.TargetProbe{IntervalSeconds: &interval, TimeoutSeconds: &timeout, FailureThreshold: &threshold}
}

func TestCreate(t *testing.T) {
	noSecret, slow := validTarget(""), validTarget("")
	noSecret.Spec.KubeconfigSecret = ""
	slow.Spec.Probe = probe(10, 20, 3)
	newTester(t).TestCreate(validTarget(""), noSecret, slow)
}

func TestUpdate(t *testing.T) {
	change := func(mutate func(*ksit.IntegrationTarget)) genericregistrytest.UpdateFunc {
		return func(object runtime.Object) runtime.Object {
			target := object.(*ksit.IntegrationTarget)
			mutate(target)
			return target
		}
	}
	newTester(t).TestUpdate(validTarget("prod-1"),
		change(func(i *ksit.IntegrationTarget) { i.Spec.Suspend = true }),
		change(func(i *ksit.IntegrationTarget) { i.Spec.ClusterName = "other" }),
		change(func(i *ksit.IntegrationTarget) { i.Spec.KubeconfigSecret = "a/b" }),
	)
}

func TestDelete(t *testing.T) { newTester(t).TestDelete(validTarget("prod-1")) }

func TestGet(t *testing.T) { newTester(t).TestGet(validTarget("prod-1")) }

func TestList(t *testing.T) { newTester(t).TestList(validTarget("prod-1")) }

func TestWatch(t *testing.T) {
	newTester(t).TestWatch(validTarget("prod-1"),
		[]labels.Set{{"tier": "prod"}},
		[]labels.Set{{"tier": "dev"}},
		[]fields.Set{{"metadata.name": "prod-1"}, {"spec.clusterName": "prod-1"}, {"status.ready": "false"}},
		[]fields.Set{{"metadata.name": "other"}, {"spec.clusterName": "other"}, {"status.ready": "true"}},
	)
}

func TestNames(t *testing.T) {
	storage := newStorage(t, registrytest.New(t))
	if diff := cmp.Diff([]string{"itgt"}, storage.IntegrationTarget.ShortNames()); diff != "" {
		t.Errorf("short names (-want +got)\n%s", diff)
	}
	if got := storage.IntegrationTarget.GetSingularName(); got != "integrationtarget" {
		t.Errorf("singular name is %q", got)
	}
}

// The name of the cluster comes from a name that the server made.
func TestGenerateName(t *testing.T) {
	storage := newStorage(t, registrytest.New(t))
	target := validTarget("")
	target.GenerateName, target.Spec.ClusterName = "prod-", ""
	created, err := storage.IntegrationTarget.Create(registrytest.Context("team-a"), target, rest.ValidateAllObjectFunc, &metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := created.(*ksit.IntegrationTarget)
	if !strings.HasPrefix(got.Name, "prod-") || got.Spec.ClusterName != got.Name {
		t.Errorf("%s is cluster %q", got.Name, got.Spec.ClusterName)
	}
}

func TestFieldSelectors(t *testing.T) {
	ctx := registrytest.Context("team-a")
	storage := newStorage(t, registrytest.New(t))
	registrytest.WaitReady(t, storage.IntegrationTarget.Store)
	for name, ready := range map[string]bool{"a": true, "b": false} {
		target := validTarget(name)
		target.Spec.ClusterName = "cluster-" + name
		created, err := storage.IntegrationTarget.Create(ctx, target, rest.ValidateAllObjectFunc, &metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		changed := created.(*ksit.IntegrationTarget).DeepCopy()
		changed.Status.Ready = ready
		if _, _, err := storage.Status.Update(ctx, name, rest.DefaultUpdatedObjectInfo(changed),
			rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, false, &metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for selector, want := range map[string][]string{
		"status.ready=true":          {"a"},
		"status.ready=false":         {"b"},
		"spec.clusterName=cluster-b": {"b"},
	} {
		parsed, err := fields.ParseSelector(selector)
		if err != nil {
			t.Fatal(err)
		}
		list, err := storage.IntegrationTarget.List(ctx, &metainternalversion.ListOptions{FieldSelector: parsed})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, item := range list.(*ksit.IntegrationTargetList).Items {
			got = append(got, item.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", selector, diff)
		}
	}
}

func TestTable(t *testing.T) {
	at := func(in time.Duration) *metav1.Time { return &metav1.Time{Time: time.Now().Add(in)} }
	ready := validTarget("prod-1")
	ready.CreationTimestamp = *at(-50 * time.Hour)
	ready.Status = ksit.IntegrationTargetStatus{
		Ready: true, Version: "v1.37.2", Nodes: &ksit.NodeCounts{Ready: 2, Total: 3}, Installations: 4,
		Endpoint: "https://prod-1:6443", LatencyMilliseconds: 12, CredentialsExpireAt: at(100*24*time.Hour + time.Minute),
		Conditions: []metav1.Condition{{Type: "Reachable", Status: "False"}, {Type: "Ready", Status: "True"}},
	}
	lost := validTarget("prod-2")
	lost.CreationTimestamp = ready.CreationTimestamp
	lost.Status = ksit.IntegrationTargetStatus{
		CredentialsExpireAt: at(-time.Second), Conditions: []metav1.Condition{{Type: "Ready", Status: "False"}},
	}
	created := validTarget("prod-3")
	created.CreationTimestamp = ready.CreationTimestamp
	want := strings.TrimPrefix(`
Name    Cluster  Ready    Version  Nodes   Installations  Age   Endpoint*            Latency*  Credentials Expire*
prod-1  prod-1   true     v1.37.2  2/3     4              2d2h  https://prod-1:6443  12ms      100d
prod-2  prod-1   false    <none>   <none>  0              2d2h  <none>               <none>    expired
prod-3  prod-1   unknown  <none>   <none>  0              2d2h  <none>               <none>    <none>
`, "\n")
	got := registrytest.Table(t, table(), &ksit.IntegrationTargetList{Items: []ksit.IntegrationTarget{*ready, *lost, *created}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
