// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

var deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}

// hostile connects to an API server that is not what it should be.
func hostile(t *testing.T, handler http.HandlerFunc) *Connection {
	t.Helper()
	_, d := server(t, handler)
	set := NewSet(Options{})
	t.Cleanup(set.Close)
	return connect(t, set, d.bytes(t))
}

// TestRedirectsAreNotFollowed makes sure that no client takes the credentials, or
// KSIT itself, to where an API server redirects.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var reached atomic.Int32
	elsewhere, _ := server(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	for _, code := range []int{301, 302, 303, 307, 308} {
		c := hostile(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL+"/", code) })
		if report := c.Probe(t.Context()); report.Reachable.Reason != "Redirected" || report.Healthy() {
			t.Errorf("%d: %+v", code, report.Reachable)
		}
		if _, err := c.Dynamic().Resource(deployments).List(t.Context(), metav1.ListOptions{}); !errors.Is(err, errRedirect) {
			t.Errorf("%d: a dynamic client: %v", code, err)
		}
		if _, err := c.Discovery().ServerGroups(); !errors.Is(err, errRedirect) {
			t.Errorf("%d: discovery: %v", code, err)
		}
		// What a library makes of the configuration, for reading and for an upgrade.
		made, err := kubernetes.NewForConfig(c.RESTConfig())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := made.CoreV1().Secrets("x").Create(t.Context(), &corev1.Secret{}, metav1.CreateOptions{}); err == nil {
			t.Errorf("%d: a write is redirected", code)
		}
		transport, err := rest.TransportFor(c.RESTConfig())
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.Info().Endpoint+"/exec", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Connection", "Upgrade")
		request.Header.Set("Upgrade", "websocket")
		if _, err := (&http.Client{Transport: transport}).Do(request); !errors.Is(err, errRedirect) {
			t.Errorf("%d: an upgrade: %v", code, err)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests went where a redirect leads", n)
	}
}

// TestHugeAnswers has an API server that answers with more than fits.
func TestHugeAnswers(t *testing.T) {
	zeros := make([]byte, 1<<20)
	for name, handler := range map[string]http.HandlerFunc{
		"endless": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				if _, err := w.Write(zeros); err != nil {
					return
				}
			}
		},
		"announced": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000000000")
			w.WriteHeader(http.StatusOK)
		},
		"a bomb": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
			for r.Context().Err() == nil {
				if _, err := z.Write(zeros); err != nil {
					return
				}
			}
		},
		"an error without end": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			for r.Context().Err() == nil {
				if _, err := w.Write(zeros); err != nil {
					return
				}
			}
		},
		"many headers": func(w http.ResponseWriter, _ *http.Request) {
			for n := range 2000 {
				w.Header().Set(fmt.Sprintf("X-%d", n), strings.Repeat("x", 1000))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := hostile(t, handler)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if report := c.Probe(ctx); report.Healthy() || ctx.Err() != nil {
				t.Errorf("%+v (%v)", report, ctx.Err())
			}
			if _, err := c.Discovery().ServerGroups(); err == nil {
				t.Error("discovery takes it")
			}
		})
	}
}

// TestHugeVersionAndReasons has an API server whose words are of any length. They
// get into no finding.
func TestHugeVersionAndReasons(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, answer := range map[string]struct {
		code int
		body string
		want string
	}{
		"a version": {http.StatusOK, `{"gitVersion":"` + long + `"}`, "NotKubernetes"},
		"an error":  {http.StatusInternalServerError, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":500,"reason":"` + long + `","message":"` + long + `"}`, "ServerError"},
	} {
		c := hostile(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(answer.code)
			_, _ = io.WriteString(w, answer.body)
		})
		report := c.Probe(t.Context())
		if report.Reachable.Reason != answer.want || len(report.Reachable.Message) > 1024 || report.Version != "" {
			t.Errorf("%s: %s, a message of %d bytes, a version of %d", name, report.Reachable.Reason, len(report.Reachable.Message), len(report.Version))
		}
	}
}

// TestEndlessDiscovery has an API server that says it serves everything. None of
// it is asked for.
func TestEndlessDiscovery(t *testing.T) {
	var asked atomic.Int32
	c := hostile(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/api":
			_, _ = io.WriteString(w, `{"kind":"APIVersions","versions":["v1"]}`)
		case "/apis":
			_, _ = io.WriteString(w, `{"kind":"APIGroupList","apiVersion":"v1","groups":[`)
			for n := range maxGroupVersions + 1 {
				if n > 0 {
					_, _ = io.WriteString(w, ",")
				}
				fmt.Fprintf(w, `{"name":"g%d.example.com","versions":[{"groupVersion":"g%d.example.com/v1","version":"v1"}]}`, n, n)
			}
			_, _ = io.WriteString(w, "]}")
		default:
			asked.Add(1)
			http.NotFound(w, r)
		}
	})
	if _, err := c.Discovery().ServerGroups(); !errors.Is(err, errTooMuchSaid) {
		t.Errorf("discovery: %v", err)
	}
	if _, _, err := c.Discovery().ServerGroupsAndResources(); err == nil {
		t.Error("it is taken")
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d group versions were asked for", n)
	}
}

// TestStreamsHaveNoBound makes sure that a watch goes on for as long as there is
// something to say.
func TestStreamsHaveNoBound(t *testing.T) {
	g := &guard{next: answering(strings.Repeat("x", 1000)), response: 10, discovery: 5}
	for query, whole := range map[string]bool{"?watch=true": true, "?watch=1": true, "?follow=true": true, "": false, "?watch=false": false} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://target/x"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := g.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if (len(body) == 1000) != whole || (err == nil) != whole || len(body) > 10 && !whole {
			t.Errorf("%q: %d bytes, %v", query, len(body), err)
		}
	}
	for length, fits := range map[int]bool{0: true, 10: true, 11: false} {
		response, err := (&guard{next: answering(strings.Repeat("x", length)), response: 10}).RoundTrip(mustRequest(t))
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(response.Body); (err == nil) != fits || fits && len(body) != length {
			t.Errorf("%d bytes: %d, %v", length, len(body), err)
		}
	}
}

func mustRequest(t *testing.T) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://target/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// answering is a server that says one thing.
type answering string

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, ContentLength: -1, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}

// TestKubeconfigOfAliases has a kubeconfig that is small until it is read.
func TestKubeconfigOfAliases(t *testing.T) {
	text := "apiVersion: v1\nkind: Config\nx: &x " + strings.Repeat("topsecret", 20<<10) + "\nextensions: [" + strings.Repeat("*x, ", 50_000) + "]\n"
	_, _, err := ParseKubeconfig([]byte(text), ParseOptions{})
	if ReasonOf(err) != ReasonInvalid || !strings.Contains(err.Error(), "aliases") || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("%.200v", err)
	}
}
