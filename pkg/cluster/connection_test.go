// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

var target = types.NamespacedName{Namespace: "team", Name: "one"}

// server is an HTTPS server with HTTP/2, and the kubeconfig that leads to it.
func server(t *testing.T, handler http.HandlerFunc) (*httptest.Server, document) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	d := valid()
	d.cluster()["server"] = s.URL
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	d.cluster()["certificate-authority-data"] = base64.StdEncoding.EncodeToString(ca)
	return s, d
}

func connect(t *testing.T, set *Set, kubeconfig []byte) *Connection {
	t.Helper()
	c, err := set.Connect(t.Context(), target, kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSetKeepsAndReplaces(t *testing.T) {
	set := NewSet(Options{})
	defer set.Close()
	d := valid()
	first := connect(t, set, d.bytes(t))
	if again := connect(t, set, d.bytes(t)); again != first {
		t.Error("the same kubeconfig gave another connection")
	}
	d.user()["token"] = "rotated"
	second := connect(t, set, d.bytes(t))
	if second == first {
		t.Error("another kubeconfig gave the same connection")
	}
	if got, _ := set.Get(target); got != second {
		t.Error("Get does not return the present connection")
	}
	if first.config.RateLimiter != second.config.RateLimiter {
		t.Error("the replaced connection has another rate limiter")
	}
	mustBeClosed(t, first)

	d.user()["exec"] = map[string]any{"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "interactiveMode": "Never"}
	if _, err := set.Connect(t.Context(), target, d.bytes(t)); ReasonOf(err) != ReasonExecRefused {
		t.Errorf("got %v", err)
	}
	mustBeClosed(t, second)
	if _, found := set.Get(target); found {
		t.Error("a connection is left though its kubeconfig is refused")
	}

	third := connect(t, set, valid().bytes(t))
	set.Drop(target)
	mustBeClosed(t, third)
	fourth := connect(t, set, valid().bytes(t))
	set.Close()
	mustBeClosed(t, fourth)
	if _, err := set.Connect(t.Context(), target, valid().bytes(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v from a closed set", err)
	}
}

func mustBeClosed(t *testing.T, c *Connection) {
	t.Helper()
	select {
	case <-c.Closed():
	default:
		t.Error("the connection is not closed")
	}
}

// Whatever is made from the configuration must go over the same connection and
// carry the credentials, also after libraries have changed their copy.
// A process that is not told when a target goes does not keep its connection.
func TestUnusedConnectionsAreDropped(t *testing.T) {
	set := NewSet(Options{})
	defer set.Close()
	kubeconfig := valid().bytes(t)
	unused := connect(t, set, kubeconfig)
	other := types.NamespacedName{Namespace: "team", Name: "two"}
	asked, err := set.Connect(t.Context(), other, kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	between := time.Now()
	if _, found := set.Get(other); !found {
		t.Fatal("there is no connection")
	}
	if dropped := set.DropUnused(between); dropped != 1 {
		t.Errorf("dropped %d", dropped)
	}
	mustBeClosed(t, unused)
	if got, _ := set.Get(other); got != asked {
		t.Error("one that was asked for is gone")
	}
	if again := connect(t, set, kubeconfig); again == unused {
		t.Error("one that was dropped came back")
	}
}

func TestClientsShareTheTransport(t *testing.T) {
	var peers atomic.Int32
	var seen sync.Map
	var agent, authorization atomic.Value
	_, d := server(t, func(w http.ResponseWriter, r *http.Request) {
		if _, known := seen.LoadOrStore(r.RemoteAddr, true); !known {
			peers.Add(1)
		}
		agent.Store(r.UserAgent())
		authorization.Store(r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"n"}}`)
	})
	set := NewSet(Options{UserAgent: "ksit/v1"})
	defer set.Close()
	c := connect(t, set, d.bytes(t))
	for i := range 3 {
		config, err := c.RESTClientGetter("ns").ToRESTConfig()
		if err != nil {
			t.Fatal(err)
		}
		if config.BearerToken != "" || len(config.CAData) > 0 {
			t.Error("the configuration shows credentials")
		}
		config.Timeout = time.Duration(i+1) * time.Minute
		config.Burst = 1000
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.CoreV1().Namespaces().Get(t.Context(), "n", metav1.GetOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := client.CoreV1().RESTClient().GetRateLimiter(); got != c.config.RateLimiter {
			t.Error("a client has a rate limiter of its own")
		}
	}
	if n := peers.Load(); n != 1 {
		t.Errorf("%d connections, want one", n)
	}
	if agent.Load() != "ksit/v1" || authorization.Load() != "Bearer "+secret {
		t.Errorf("sent the user agent %q, authorization %q", agent.Load(), authorization.Load())
	}
}

func TestClosedConnectionIsFreed(t *testing.T) {
	_, d := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"gitVersion":"v1.2.3"}`)
	})
	set := NewSet(Options{})
	defer set.Close()
	before := runtime.NumGoroutine()
	for i := range 20 {
		d.user()["token"] = fmt.Sprint("t", i)
		if _, err := connect(t, set, d.bytes(t)).version(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	set.Drop(target)
	// Each open HTTP/2 connection has a goroutine on either side.
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before+4 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before+4 {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

func TestRateLimitIsShared(t *testing.T) {
	_, d := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"gitVersion":"v1.2.3"}`)
	})
	set := NewSet(Options{QPS: 0.001, Burst: 3})
	defer set.Close()
	c := connect(t, set, d.bytes(t))
	for range 2 {
		if _, err := c.version(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	other, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = c.version(ctx)
	if err == nil {
		t.Fatal("the fourth request went through a bucket of three")
	}
	if got := c.Explain(err); got.Reason != "Busy" {
		t.Errorf("got %+v", got)
	}
}

func TestProbeExplains(t *testing.T) {
	answer := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}
	}
	status := func(code int, reason string) http.HandlerFunc {
		return answer(code, fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":"m"}`, reason, code))
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		change  func(*httptest.Server, document)
		// reachable, credentials and authorized are the reasons.
		reachable, credentials, authorized string
	}{
		"no Kubernetes":  {handler: answer(200, "hello"), reachable: "NotKubernetes", credentials: "NotProbed", authorized: "NotProbed"},
		"not found":      {handler: answer(404, "hello"), reachable: "ServerError", credentials: "NotProbed", authorized: "NotProbed"},
		"bad gateway":    {handler: answer(502, "<html>"), reachable: "ServerError", credentials: "NotProbed", authorized: "NotProbed"},
		"unauthorized":   {handler: status(401, "Unauthorized"), reachable: "Answered", credentials: "Refused", authorized: "Unauthenticated"},
		"ended token":    {handler: status(401, "Unauthorized"), change: func(_ *httptest.Server, d document) { d.user()["token"] = jwt(t, map[string]any{"exp": 1}) }, reachable: "Answered", credentials: "Expired", authorized: "Unauthenticated"},
		"no answer":      {handler: func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, reachable: "Timeout", credentials: "NotProbed", authorized: "NotProbed"},
		"refused":        {handler: answer(200, ""), change: func(s *httptest.Server, _ document) { s.Close() }, reachable: "ConnectionRefused", credentials: "NotProbed", authorized: "NotProbed"},
		"unknown name":   {handler: answer(200, ""), change: func(_ *httptest.Server, d document) { d.cluster()["server"] = "https://no-such-host.invalid" }, reachable: "NameNotFound", credentials: "NotProbed", authorized: "NotProbed"},
		"unknown CA":     {handler: answer(200, ""), change: func(_ *httptest.Server, d document) { delete(d.cluster(), "certificate-authority-data") }, reachable: "CertificateInvalid", credentials: "NotProbed", authorized: "NotProbed"},
		"another name":   {handler: answer(200, ""), change: func(_ *httptest.Server, d document) { d.cluster()["tls-server-name"] = "other.test" }, reachable: "CertificateInvalid", credentials: "NotProbed", authorized: "NotProbed"},
		"not TLS at all": {handler: answer(200, ""), change: func(s *httptest.Server, d document) { d.cluster()["server"] = plain(t) }, reachable: "TLSFailed", credentials: "NotProbed", authorized: "NotProbed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, d := server(t, test.handler)
			if test.change != nil {
				test.change(s, d)
			}
			set := NewSet(Options{})
			defer set.Close()
			patience := 30 * time.Second
			if test.reachable == "Timeout" {
				patience = 200 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			report := connect(t, set, d.bytes(t)).Probe(ctx)
			if got, want := [3]string{report.Reachable.Reason, report.CredentialsValid.Reason, report.Authorized.Reason},
				[3]string{test.reachable, test.credentials, test.authorized}; got != want {
				t.Errorf("got %v, want %v (%s)", got, want, report.Reachable.Message)
			}
			if report.Healthy() {
				t.Error("is healthy")
			}
			if strings.Contains(fmt.Sprint(report), secret) {
				t.Errorf("the report holds a secret: %v", report)
			}
		})
	}
}

// A peer that vanishes without a word must be noticed in seconds, and requests
// go on over a new connection.
func TestVanishedPeer(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as the transport waits for an answer to its ping")
	}
	s, d := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"gitVersion":"v1.2.3"}`)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var vanished atomic.Bool
	go func() {
		for number := 0; ; number++ {
			inner, err := listener.Accept()
			if err != nil {
				return
			}
			outer, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				return
			}
			// Only the first connection loses its peer: then neither side
			// hears anything of the other.
			lost := func() bool { return number == 0 && vanished.Load() }
			go forward(outer, inner, lost)
			go forward(inner, outer, lost)
		}
	}()
	d.cluster()["server"] = "https://" + listener.Addr().String()
	set := NewSet(Options{})
	defer set.Close()
	c := connect(t, set, d.bytes(t))
	if _, err := c.version(t.Context()); err != nil {
		t.Fatal(err)
	}
	vanished.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), pingAfter+pingTimeout+10*time.Second)
	defer cancel()
	start := time.Now()
	for {
		_, err := c.version(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("no answer after %v: %v", time.Since(start), err)
		}
	}
	t.Logf("answered again after %v", time.Since(start))
}

func forward(to, from net.Conn, lost func() bool) {
	defer to.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if lost() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// plain returns the https URL of a server that speaks http.
func plain(t *testing.T) string {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "http:", "https:", 1)
}
