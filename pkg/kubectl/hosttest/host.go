// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package hosttest is an API server for tests of clients: it keeps objects of
// any kind in memory, and serves them over TLS as API servers do, with lists,
// watches, server-side apply and discovery. It knows nothing of what KSIT does:
// tests say what a subresource answers.
package hosttest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/generated/clientset/versioned"
)

// Token is what clients of the server present.
const Token = "correct-horse-battery-staple"

// Host is the API server.
type Host struct {
	*store
	// URL is where it listens.
	URL string

	server *httptest.Server

	mu       sync.Mutex
	without  bool
	answers  map[string]Answer
	requests []string
}

// Answer answers what is asked of a subresource, such as
// "POST installations/rollback", of the object that name names.
type Answer func(w http.ResponseWriter, r *http.Request, namespace, name string)

// New starts a server that ends with the test.
func New(t testing.TB) *Host {
	t.Helper()
	h := &Host{store: newStore(), answers: map[string]Answer{}}
	h.server = httptest.NewTLSServer(h)
	h.URL = h.server.URL
	t.Cleanup(func() {
		h.store.close()
		h.server.CloseClientConnections()
		h.server.Close()
	})
	return h
}

// WithoutKSIT has the server know nothing of ksit.io.
func (h *Host) WithoutKSIT() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.without = true
}

// On sets what a subresource answers, as in "POST installations/rollback", or
// what a path does, as in "GET /version".
func (h *Host) On(what string, answer Answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers[what] = answer
}

// Requests returns the requests that changed something, or were answered by an
// Answer, as "POST /path".
func (h *Host) Requests() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

// Config is how a client connects.
func (h *Host) Config() *rest.Config {
	return &rest.Config{Host: h.URL, BearerToken: Token, QPS: -1, TLSClientConfig: rest.TLSClientConfig{CAData: h.ca()}}
}

// KSIT returns a client of KSIT's API.
func (h *Host) KSIT(t testing.TB) versioned.Interface {
	t.Helper()
	client, err := versioned.NewForConfig(h.Config())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (h *Host) ca() []byte {
	return pemOf(h.server.Certificate().Raw)
}

// Kubeconfig writes a kubeconfig for the server, with the namespace team-a, after
// change had a look at it, and returns its path.
func (h *Host) Kubeconfig(t testing.TB, change func(*clientcmdapi.Config)) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.CurrentContext = "here"
	config.Clusters["here"] = &clientcmdapi.Cluster{Server: h.URL, CertificateAuthorityData: h.ca()}
	config.AuthInfos["me"] = &clientcmdapi.AuthInfo{Token: Token}
	config.Contexts["here"] = &clientcmdapi.Context{Cluster: "here", AuthInfo: "me", Namespace: "team-a"}
	if change != nil {
		change(config)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ServeHTTP serves what a client asks.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+Token {
		fail(w, &metav1.Status{Code: 401, Reason: metav1.StatusReasonUnauthorized, Message: "Unauthorized"})
		return
	}
	at, ok := parse(r.URL.Path)
	if answer := h.answerFor(r, at, ok); answer != nil {
		answer(w, r, at.namespace, at.name)
		return
	}
	switch {
	case ok && at.gvr.Group == "ksit.io" && h.isWithout():
		http.NotFound(w, r)
	case ok && at.sub == "":
		h.note(r, r.Method != http.MethodGet)
		h.serve(w, r, at)
	case !ok && r.Method == http.MethodGet:
		discover(w, r, h.isWithout())
	default:
		http.NotFound(w, r)
	}
}

func (h *Host) isWithout() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.without
}

func (h *Host) answerFor(r *http.Request, at address, ok bool) Answer {
	h.mu.Lock()
	answer := h.answers[r.Method+" "+r.URL.Path]
	if answer == nil && ok {
		key := r.Method + " " + at.gvr.Resource
		if at.sub != "" {
			key += "/" + at.sub
		}
		answer = h.answers[key]
	}
	h.mu.Unlock()
	if answer != nil {
		h.note(r, true)
	}
	return answer
}

func (h *Host) note(r *http.Request, worth bool) {
	if !worth {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = append(h.requests, r.Method+" "+r.URL.RequestURI())
}

// JSON answers with an object.
func JSON(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object) // Who hung up does not want it.
}

// Fail answers with a Status.
func Fail(w http.ResponseWriter, code int32, reason metav1.StatusReason, message string) {
	fail(w, &metav1.Status{Code: code, Reason: reason, Message: message})
}

func fail(w http.ResponseWriter, status *metav1.Status) {
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	status.Status = metav1.StatusFailure
	JSON(w, int(status.Code), status)
}

// address is what a path names.
type address struct {
	gvr             resource
	namespace, name string
	sub             string
}

// resource is the kind of things at an address.
type resource struct{ Group, Version, Resource string }

// parse reads a path of an object or a list.
func parse(path string) (address, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	var a address
	switch {
	case len(parts) > 2 && parts[0] == "api":
		a.gvr.Version = parts[1]
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		a.gvr.Group, a.gvr.Version = parts[1], parts[2]
		parts = parts[3:]
	default:
		return a, false
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		a.namespace = parts[1]
		parts = parts[2:]
	}
	a.gvr.Resource = parts[0]
	if len(parts) > 1 {
		a.name = parts[1]
	}
	if len(parts) > 2 {
		a.sub = strings.Join(parts[2:], "/")
	}
	return a, true
}
