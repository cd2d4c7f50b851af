// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/test/env"
)

// target is a cluster behind a proxy that counts the writes and can break off
// at any of them.
type target struct {
	t    *testing.T
	env  *env.Cluster
	conn *cluster.Connection

	mu     sync.Mutex
	writes []string
	// onWrite is called before the n-th write is passed on, from 1.
	onWrite func(n int)
}

func newTarget(t *testing.T, options env.Options) *target {
	t.Helper()
	tg := &target{t: t, env: env.Start(t, options)}
	upstream, err := url.Parse(tg.env.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(tg.env.Config)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1,
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.URL.Query().Get("dryRun") == "" {
			tg.mu.Lock()
			tg.writes = append(tg.writes, r.Method+" "+r.URL.Path)
			n, hook := len(tg.writes), tg.onWrite
			tg.mu.Unlock()
			if hook != nil {
				hook(n)
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{
		Server:                   server.URL,
		CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: "any"}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	kubeconfig, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	set := cluster.NewSet(cluster.Options{QPS: 2000, Burst: 4000})
	t.Cleanup(set.Close)
	tg.conn, err = set.Connect(t.Context(), types.NamespacedName{Namespace: "ns", Name: "target"}, kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return tg
}

// count forgets the writes so far and has hook called with the next ones.
func (tg *target) count(hook func(n int)) {
	tg.mu.Lock()
	defer tg.mu.Unlock()
	tg.writes, tg.onWrite = nil, hook
}

func (tg *target) written() []string {
	tg.mu.Lock()
	defer tg.mu.Unlock()
	return tg.writes
}

var testOwner = installer.Owner{Namespace: "team", Integration: "app"}

func request(manifests string) installer.Request {
	return installer.Request{
		Owner: testOwner, Type: v1alpha1.IntegrationTypeGeneric, Namespace: "apps",
		AutoInstall: &v1alpha1.AutoInstall{
			Method:         v1alpha1.InstallMethodManifest,
			ManifestConfig: &v1alpha1.ManifestConfig{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "m"}},
		},
		Sources: installer.Sources{Manifests: []byte(manifests)},
		Timeout: time.Minute,
	}
}

// mustApply applies and returns the one release.
func (tg *target) mustApply(req installer.Request) (v1alpha1.ReleaseStatus, bool) {
	tg.t.Helper()
	result, err := New(Options{}).Apply(tg.t.Context(), tg.conn, req)
	if err != nil {
		tg.t.Fatalf("applying: %v", err)
	}
	if len(result.Releases) != 1 {
		tg.t.Fatalf("%d releases: %v", len(result.Releases), result.Releases)
	}
	return result.Releases[0], result.Changed
}

func (tg *target) mustUninstall(releases ...v1alpha1.ReleaseStatus) {
	tg.t.Helper()
	if err := New(Options{}).Uninstall(tg.t.Context(), tg.conn, installer.Removal{Owner: testOwner, Releases: releases, Timeout: 5 * time.Minute}); err != nil {
		tg.t.Fatalf("uninstalling: %v", err)
	}
}

// get returns an object, nil where it is not there.
func (tg *target) get(gvr schema.GroupVersionResource, namespace, name string) *unstructured.Unstructured {
	tg.t.Helper()
	obj, err := tg.conn.Dynamic().Resource(gvr).Namespace(namespace).Get(context.Background(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		tg.t.Fatal(err)
	}
	return obj
}

func (tg *target) delete(namespace, name string) {
	tg.t.Helper()
	if err := tg.conn.Dynamic().Resource(configMaps).Namespace(namespace).Delete(tg.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		tg.t.Fatal(err)
	}
}

func (tg *target) waitGone(gone func() bool) {
	tg.t.Helper()
	for range 100 {
		if gone() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	tg.t.Fatal("still there")
}

func (tg *target) deleteAll(owner installer.Owner, namespace, name string) {
	tg.t.Helper()
	err := New(Options{}).Uninstall(context.Background(), tg.conn, installer.Removal{Owner: owner, Releases: []v1alpha1.ReleaseStatus{{Namespace: namespace, Name: name}}, Timeout: time.Minute})
	if err != nil {
		tg.t.Fatal(err)
	}
}

func (tg *target) create(namespace, name string, labels map[string]string) {
	tg.t.Helper()
	obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"key": "old", "more": "old"}}}
	obj.SetName(name)
	obj.SetLabels(labels)
	if _, err := tg.conn.Dynamic().Resource(configMaps).Namespace(namespace).Create(tg.t.Context(), obj, metav1.CreateOptions{}); err != nil {
		tg.t.Fatal(err)
	}
}

var (
	configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	crds       = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	things     = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "things"}
)

// configMap is one in the release's namespace.
func configMap(name, value string) string {
	return "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: " + name + "}, data: {key: \"" + value + "\"}}\n"
}

const thingCRD = `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Thing, plural: things, singular: thing, listKind: ThingList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
`

const thing = "---\n{apiVersion: example.com/v1, kind: Thing, metadata: {name: one}, spec: {size: 1}}\n"
