// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/rewrite"
	"ksit.io/ksit/test/env"
)

// bench is a target with an installer and a chart repository.
type bench struct {
	*env.Cluster
	conn *cluster.Connection
	// human is the connection of somebody else, with Helm's user agent.
	human     *cluster.Connection
	proxy     *recorder
	charts    *repository
	installer *Installer
	// dead are the installers whose process was killed.
	dead sync.WaitGroup
}

// newBench starts a target. Tests that share one use a namespace each.
func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{Cluster: env.Start(t, env.Options{Controllers: true}), charts: serveCharts(t)}
	b.proxy = newRecorder(t, b.Config)
	b.conn = connect(t, b.proxy.kubeconfig, "ksit")
	b.human = connect(t, b.Kubeconfig, "Helm/3.22.0")
	b.installer = newInstaller(t, nil)
	return b
}

func connect(t testing.TB, kubeconfig []byte, userAgent string) *cluster.Connection {
	t.Helper()
	set := cluster.NewSet(cluster.Options{AllowInsecure: true, QPS: 1000, Burst: 2000, UserAgent: userAgent})
	t.Cleanup(set.Close)
	conn, err := set.Connect(t.Context(), types.NamespacedName{Namespace: "fleet", Name: t.Name()}, kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func newInstaller(t testing.TB, table *rewrite.Table) *Installer {
	t.Helper()
	client, err := fetch.NewClient(fetch.Options{AllowLocal: true, Rewrites: table})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	i, err := New(Options{Fetch: client, Rewrites: table, CacheDir: t.TempDir(), AllowLocalSources: true})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// request asks for a chart of the bench's repository under the name of the
// namespace.
func (b *bench) request(namespace, chart, version string) installer.Request {
	return installer.Request{
		Owner:     installer.Owner{Namespace: "team", Integration: namespace},
		Type:      v1alpha1.IntegrationTypeGeneric,
		Namespace: namespace,
		AutoInstall: &v1alpha1.AutoInstall{
			Enabled: true,
			HelmConfig: &v1alpha1.HelmConfig{
				Repository: b.charts.URL, Chart: chart, Version: version, ReleaseName: chart,
			},
		},
		Timeout: 60 * time.Second,
	}
}

func withValues(req installer.Request, values map[string]any) installer.Request {
	raw, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	req.AutoInstall = req.AutoInstall.DeepCopy()
	req.AutoInstall.HelmConfig.ValuesObject = &runtime.RawExtension{Raw: raw}
	return req
}

func (b *bench) apply(t testing.TB, req installer.Request) installer.Result {
	t.Helper()
	result, err := b.installer.Apply(t.Context(), b.conn, req)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return result
}

func wantReason(t testing.TB, err error, reason installer.Reason, terminal bool, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", reason)
	}
	if installer.ReasonOf(err) != reason || installer.IsTerminal(err) != terminal {
		t.Errorf("error is %s (terminal %t), want %s (%t): %v", installer.ReasonOf(err), installer.IsTerminal(err), reason, terminal, err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

// recorder is a proxy in front of the API that keeps what passes through.
type recorder struct {
	kubeconfig []byte

	mu       sync.Mutex
	requests []string
	// before, if set, is called ahead of each request.
	before func(*http.Request)
}

func newRecorder(t testing.TB, config *rest.Config) *recorder {
	t.Helper()
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	server := newReverseProxy(t, config.Host, transport, r)
	r.kubeconfig = []byte("apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{name: a, cluster: {server: \"" + server +
		"\"}}]\nusers: [{name: a, user: {token: a}}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n")
	return r
}

func (r *recorder) record(request *http.Request) {
	r.mu.Lock()
	r.requests = append(r.requests, request.Method+" "+request.URL.Path)
	before := r.before
	r.mu.Unlock()
	if before != nil {
		before(request)
	}
}

func (r *recorder) setBefore(before func(*http.Request)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = before
}

// take returns the requests since the last call.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.requests
	r.requests = nil
	return taken
}

func writes(requests []string) []string {
	var out []string
	for _, r := range requests {
		if !strings.HasPrefix(r, "GET ") {
			out = append(out, r)
		}
	}
	return out
}
