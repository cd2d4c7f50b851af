// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authentication/user"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
)

// ksitToken is KSIT's on the targets of these tests.
const ksitToken = "the-token-of-ksit"

// patience is how long a test waits for what must happen.
const patience = time.Minute

var jane = &user.DefaultInfo{Name: "jane", Groups: []string{"dev", "system:authenticated"}}

// fixture is a target that answers by the handler, and a server before it that
// passes everything below /proxy on, as the caller set last.
type fixture struct {
	proxy  *Proxy
	front  *httptest.Server
	caller atomic.Pointer[user.DefaultInfo]
	client *http.Client
	// connects counts how often the kubeconfig was asked for.
	connects atomic.Int32
	target   *httptest.Server
}

// connector connects to the one target of a fixture.
type connector struct {
	set        *cluster.Set
	kubeconfig []byte
	connects   *atomic.Int32
	err        error
}

func (c *connector) Connect(ctx context.Context, target *v1alpha1.IntegrationTarget) (*cluster.Connection, error) {
	c.connects.Add(1)
	if c.err != nil {
		return nil, c.err
	}
	return c.set.Connect(ctx, types.NamespacedName{Namespace: target.Namespace, Name: target.Name}, c.kubeconfig)
}

func start(t *testing.T, prefix string, options Options, handler http.HandlerFunc) *fixture {
	t.Helper()
	f := &fixture{target: httptest.NewUnstartedServer(handler)}
	f.target.EnableHTTP2 = true
	f.target.StartTLS()
	t.Cleanup(f.target.Close)
	set := cluster.NewSet(cluster.Options{})
	t.Cleanup(set.Close)
	f.proxy = New(&connector{set: set, connects: &f.connects, kubeconfig: kubeconfig(t, f.target, prefix)}, options)
	f.caller.Store(jane)

	object := &v1alpha1.IntegrationTarget{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "one", UID: "u", Generation: 1}}
	f.front = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := audit.WithAuditContext(genericapirequest.WithUser(r.Context(), f.caller.Load()))
		audit.WithAuditID(ctx, "ours")
		answer := &responder{w}
		handler, err := f.proxy.Connect(ctx, object, strings.TrimPrefix(r.URL.Path, "/proxy"), answer)
		if err != nil {
			answer.Error(err)
			return
		}
		w.Header().Set("Cache-Control", "no-cache, private")
		w.Header().Set("Audit-Id", "ours")
		handler.ServeHTTP(w, r.WithContext(ctx))
	}))
	f.front.EnableHTTP2 = true
	f.front.StartTLS()
	t.Cleanup(f.front.Close)
	f.client = f.front.Client()
	f.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return f
}

func kubeconfig(t *testing.T, server *httptest.Server, prefix string) []byte {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{
		Server:                   server.URL + prefix,
		CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: ksitToken}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	data, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// responder writes errors as the API server does.
type responder struct{ w http.ResponseWriter }

func (r *responder) Object(int, runtime.Object) {}

func (r *responder) Error(err error) {
	status := metav1.Status{Code: http.StatusInternalServerError, Message: "not an error of the API: " + err.Error()}
	if known, ok := errors.AsType[*apierrors.StatusError](err); ok {
		status = known.Status()
	}
	r.w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(r.w).Encode(status)
}

// get sends a request to a path below /proxy, exactly as it is written.
func (f *fixture) get(t *testing.T, path string, header http.Header) (*http.Response, string) {
	t.Helper()
	return f.do(t, http.MethodGet, path, header, nil)
}

func (f *fixture) do(t *testing.T, method, path string, header http.Header, body io.Reader) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, f.front.URL+"/proxy", body)
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Opaque = "//" + request.URL.Host + "/proxy" + path
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := f.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(data)
}

// http1 returns what the configuration of a client needs for the front.
func (f *fixture) http1() *tls.Config {
	config := f.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"http/1.1"}
	return config
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}
