// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/test/env"
)

// manager is the name under which the tests apply what is then looked after.
const manager = "ksit"

// target is a cluster, a connection to it that is watched, and another one for
// all that is not.
type target struct {
	*env.Cluster
	conn, others *cluster.Connection

	mu       sync.Mutex
	requests []string
	// hook, if set, is called with the number of each request.
	hook func(n int)
}

func newTarget(t *testing.T) *target {
	t.Helper()
	tg := &target{Cluster: env.Start(t, env.Options{})}
	upstream, err := url.Parse(tg.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(tg.Config)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(upstream)
			p.Out.Header.Del("Authorization")
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tg.note(r)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	kubeconfig := fmt.Appendf(nil, `{apiVersion: v1, kind: Config, current-context: a, clusters: [{name: a, cluster: {server: %q}}],
users: [{name: a, user: {token: a}}], contexts: [{name: a, context: {cluster: a, user: a}}]}`, server.URL)
	tg.conn = connect(t, "watched", kubeconfig)
	tg.others = connect(t, "others", tg.Kubeconfig)
	return tg
}

func connect(t *testing.T, name string, kubeconfig []byte) *cluster.Connection {
	t.Helper()
	set := cluster.NewSet(cluster.Options{AllowInsecure: true, QPS: 2000, Burst: 4000})
	t.Cleanup(set.Close)
	conn, err := set.Connect(t.Context(), types.NamespacedName{Namespace: "fleet", Name: name}, kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func (tg *target) note(r *http.Request) {
	what := "read"
	switch {
	case r.URL.Query().Get("dryRun") != "":
		what = "dry run"
	case r.Method != http.MethodGet:
		what = "write"
	case !strings.Contains(r.URL.Path, "namespaces") && strings.Count(r.URL.Path, "/") < 3:
		what = "discovery"
	}
	tg.mu.Lock()
	defer tg.mu.Unlock()
	tg.requests = append(tg.requests, what+" "+r.URL.Path)
	if tg.hook != nil {
		tg.hook(len(tg.requests))
	}
}

// take counts the requests since it was last called, of which the first word is
// one of these.
func (tg *target) take(words ...string) int {
	tg.mu.Lock()
	defer tg.mu.Unlock()
	n := 0
	for _, r := range tg.requests {
		for _, word := range words {
			if strings.HasPrefix(r, word+" ") {
				n++
			}
		}
	}
	tg.requests = nil
	return n
}

// parse reads manifests. Objects without a namespace get one unless their kind
// has none.
func (tg *target) parse(t *testing.T, namespace, manifests string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096); ; {
		obj := &unstructured.Unstructured{}
		if err := decoder.Decode(obj); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatal(err)
		}
		if tg.mapping(t, obj).Scope.Name() == meta.RESTScopeNameNamespace {
			obj.SetNamespace(namespace)
		}
		objects = append(objects, obj)
	}
}

func (tg *target) mapping(t *testing.T, obj *unstructured.Unstructured) *meta.RESTMapping {
	t.Helper()
	gvk := obj.GroupVersionKind()
	mapping, err := tg.others.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		t.Fatal(err)
	}
	return mapping
}

func (tg *target) client(t *testing.T, obj *unstructured.Unstructured) dynamic.ResourceInterface {
	t.Helper()
	return tg.others.Dynamic().Resource(tg.mapping(t, obj).Resource).Namespace(obj.GetNamespace())
}

func (tg *target) get(t *testing.T, obj *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	live, err := tg.client(t, obj).Get(t.Context(), obj.GetName(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return live
}

func (tg *target) namespace(t *testing.T, name string) {
	t.Helper()
	obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}}
	if _, err := tg.client(t, obj).Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// way is how objects come to a target.
type way struct {
	name string
	put  func(*target, *testing.T, *unstructured.Unstructured)
}

var ways = []way{
	{"as Helm does", (*target).create},
	{"by server-side apply", (*target).apply},
}

func (tg *target) create(t *testing.T, obj *unstructured.Unstructured) {
	t.Helper()
	if _, err := tg.client(t, obj).Create(t.Context(), obj, metav1.CreateOptions{FieldManager: manager}); err != nil {
		t.Fatal(err)
	}
}

func (tg *target) apply(t *testing.T, obj *unstructured.Unstructured) {
	t.Helper()
	obj = normalize(obj)
	if _, err := tg.client(t, obj).Apply(t.Context(), obj.GetName(), obj, metav1.ApplyOptions{FieldManager: manager, Force: true}); err != nil {
		t.Fatal(err)
	}
}

// release is what was applied as a release.
func (tg *target) release(t *testing.T, namespace string, objects []*unstructured.Unstructured, ignore ...v1alpha1.DriftIgnore) Release {
	return Release{
		NamespacedName: types.NamespacedName{Namespace: namespace, Name: t.Name()},
		Revision:       "1",
		Ignore:         ignore,
		Load: func(context.Context) ([]*unstructured.Unstructured, error) {
			copies := make([]*unstructured.Unstructured, len(objects))
			for i, obj := range objects {
				copies[i] = obj.DeepCopy()
			}
			return copies, nil
		},
	}
}

func (tg *target) check(t *testing.T, c *Checker, r Release) []Finding {
	t.Helper()
	findings, err := c.Check(t.Context(), tg.conn, r)
	if err != nil {
		t.Fatalf("checking: %v", err)
	}
	return findings
}

// lines puts findings into a form that is easy to compare.
func lines(findings []Finding) []string {
	var out []string
	for _, f := range findings {
		if f.Missing {
			out = append(out, f.ID.GroupKind.Kind+" "+f.ID.Name+" is missing")
		}
		for _, field := range f.Fields {
			out = append(out, f.ID.GroupKind.Kind+" "+f.ID.Name+" "+field)
		}
	}
	return out
}
