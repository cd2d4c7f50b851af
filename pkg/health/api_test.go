// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/health"
	"ksit.io/ksit/test/env"
)

// fixture is one cluster that the tests of this package share; each has
// namespaces of its own.
type fixture struct {
	*env.Cluster
	conn *cluster.Connection
}

func start(t testing.TB, options env.Options) *fixture {
	t.Helper()
	f := &fixture{Cluster: env.Start(t, options)}
	// Benchmarks measure what is done, and not how it is held back.
	set := cluster.NewSet(cluster.Options{QPS: 10000, Burst: 10000})
	t.Cleanup(set.Close)
	var err error
	if f.conn, err = set.Connect(t.Context(), types.NamespacedName{Name: "one"}, f.Kubeconfig); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestOnRealAPI(t *testing.T) {
	f := start(t, env.Options{Controllers: true})
	t.Run("wait", f.testWait)
	t.Run("wait for what never comes", f.testWaitInVain)
	t.Run("wait for Jobs", f.testWaitJobs)
	t.Run("wait for deletion", f.testWaitDeleted)
	t.Run("argocd", f.testArgoCD)
	t.Run("prometheus", f.testPrometheus)
	t.Run("istio", f.testIstio)
	t.Run("flux", f.testFlux)
	t.Run("generic", f.testGeneric)
	// The last, as it takes the API away.
	t.Run("unreachable", f.testUnreachable)
}

// load reads objects from testdata.
func load(t testing.TB, name string) []*unstructured.Unstructured {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return parseAll(t, data)
}

func parseAll(t testing.TB, data []byte) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096); ; {
		u := &unstructured.Unstructured{}
		if err := decoder.Decode(u); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
}

// create makes objects and their namespaces, and returns their names. Kinds
// whose definitions are among them are waited for.
func (f *fixture) create(t testing.TB, objects ...*unstructured.Unstructured) object.ObjMetadataSet {
	t.Helper()
	var ids object.ObjMetadataSet
	for _, u := range objects {
		if ns := u.GetNamespace(); ns != "" {
			_, err := f.Client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, metav1.CreateOptions{})
			if err != nil && !apierrors.IsAlreadyExists(err) {
				t.Fatal(err)
			}
		}
		gvk := u.GroupVersionKind()
		deadline := time.Now().Add(20 * time.Second)
		for {
			err := f.createOne(t.Context(), u, gvk)
			if err == nil {
				break
			}
			if time.Now().After(deadline) || !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
				t.Fatalf("creating %s %s: %v", gvk.Kind, u.GetName(), err)
			}
			time.Sleep(100 * time.Millisecond)
			f.conn.RESTMapper().Reset()
		}
		ids = append(ids, object.ObjMetadata{GroupKind: gvk.GroupKind(), Namespace: u.GetNamespace(), Name: u.GetName()})
	}
	return ids
}

func (f *fixture) createOne(ctx context.Context, u *unstructured.Unstructured, gvk schema.GroupVersionKind) error {
	mapping, err := f.conn.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return err
	}
	_, err = f.conn.Dynamic().Resource(mapping.Resource).Namespace(u.GetNamespace()).Create(ctx, u, metav1.CreateOptions{})
	return err
}

// patchStatus merges a status into an object.
func (f *fixture) patchStatus(t *testing.T, id object.ObjMetadata, status map[string]any) {
	t.Helper()
	f.patch(t, id, map[string]any{"status": status}, "status")
}

func (f *fixture) patch(t *testing.T, id object.ObjMetadata, patch map[string]any, subresources ...string) {
	t.Helper()
	mapping, err := f.conn.RESTMapper().RESTMapping(id.GroupKind)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.conn.Dynamic().Resource(mapping.Resource).Namespace(id.Namespace).
		Patch(t.Context(), id.Name, types.MergePatchType, data, metav1.PatchOptions{}, subresources...)
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) remove(t *testing.T, id object.ObjMetadata) {
	t.Helper()
	mapping, err := f.conn.RESTMapper().RESTMapping(id.GroupKind)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.conn.Dynamic().Resource(mapping.Resource).Namespace(id.Namespace).Delete(t.Context(), id.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// wait has the objects become ready.
func (f *fixture) wait(t *testing.T, ids object.ObjMetadataSet) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := health.Wait(ctx, f.conn, ids, health.WaitOptions{}); err != nil {
		t.Fatal(err)
	}
}

// probe probes twice, and expects the same both times.
func (f *fixture) probe(t *testing.T, in health.Input) health.Report {
	t.Helper()
	report := health.Probe(t.Context(), f.conn, in)
	if diff := cmp.Diff(report, health.Probe(t.Context(), f.conn, in)); diff != "" {
		t.Errorf("two probes differ:\n%s", diff)
	}
	return report
}

// expect compares the states of the checks.
func expect(t *testing.T, report health.Report, state v1alpha1.CheckState, want map[string]v1alpha1.CheckState) {
	t.Helper()
	got := map[string]v1alpha1.CheckState{}
	for _, c := range report.Checks {
		got[c.Name] = c.State
	}
	if diff := cmp.Diff(want, got); diff != "" || report.State != state {
		t.Errorf("state %s, want %s; checks (-want +got):\n%s\n%+v", report.State, state, diff, report)
	}
}

// BenchmarkProbe tells what a probe costs, which is done for each Installation
// every half minute.
func BenchmarkProbe(b *testing.B) {
	f := start(b, env.Options{Controllers: true})
	for _, in := range []health.Input{
		{Type: v1alpha1.IntegrationTypeArgoCD, Namespace: "argocd"},
		{Type: v1alpha1.IntegrationTypePrometheus, Namespace: "monitoring"},
		{Type: v1alpha1.IntegrationTypeIstio, Namespace: "istio-system"},
		{Type: v1alpha1.IntegrationTypeFlux, Namespace: "flux-system"},
	} {
		in.Objects = f.create(b, load(b, string(in.Type))...)
		b.Run(string(in.Type), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if report := health.Probe(b.Context(), f.conn, in); report.State == v1alpha1.CheckUnknown {
					b.Fatalf("got %+v", report)
				}
			}
		})
	}
}

func check(report health.Report, name string) v1alpha1.CheckResult {
	for _, c := range report.Checks {
		if c.Name == name {
			return c
		}
	}
	return v1alpha1.CheckResult{}
}

func id(group, kind, namespace, name string) object.ObjMetadata {
	return object.ObjMetadata{GroupKind: schema.GroupKind{Group: group, Kind: kind}, Namespace: namespace, Name: name}
}

func (f *fixture) testUnreachable(t *testing.T) {
	f.StopAPI()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	report := health.Probe(ctx, f.conn, health.Input{
		Type: v1alpha1.IntegrationTypeArgoCD, Namespace: "argocd",
		Objects: object.ObjMetadataSet{id("apps", "Deployment", "argocd", "argocd-server")},
	})
	if report.State != v1alpha1.CheckUnknown {
		t.Errorf("got %+v", report)
	}
	for _, c := range report.Checks {
		if c.State != v1alpha1.CheckUnknown || !strings.Contains(c.Message, "refuses connections") {
			t.Errorf("got %+v", c)
		}
	}
}
