// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ksit.io/ksit/pkg/rewrite"
)

func newTestClient(t *testing.T, options Options) *Client {
	t.Helper()
	if options.Proxy == nil {
		options.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	client, err := NewClient(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func TestGetLimits(t *testing.T) {
	release := make(chan struct{})
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ten":
			_, _ = io.WriteString(w, "0123456789")
		case "/empty":
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		case "/announced":
			w.Header().Set("Content-Length", "100000000000")
			_, _ = io.WriteString(w, "x")
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 10<<20))
			_ = z.Close()
		case "/silent":
			<-release
		case "/slow":
			for {
				if _, err := w.Write([]byte("x")); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				select {
				case <-release:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/headers":
			for i := range 2000 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 100))
			}
		case "/partial":
			w.WriteHeader(http.StatusPartialContent)
		default:
			http.Error(w, "topsecret", http.StatusNotFound)
		}
	})
	defer close(release)
	client := newTestClient(t, Options{AllowLocal: true})
	for path, test := range map[string]struct {
		limits Limits
		want   string
		is     error
		code   int
		fails  bool
	}{
		"/ten":       {want: "0123456789"},
		"/ten?":      {limits: Limits{MaxBytes: 10}, want: "0123456789"},
		"/ten?x":     {limits: Limits{MaxBytes: 9}, is: ErrTooLarge},
		"/empty":     {},
		"/endless":   {is: ErrTooLarge},
		"/announced": {is: ErrTooLarge},
		"/bomb":      {limits: Limits{MaxBytes: 1 << 20}, is: ErrTooLarge},
		"/silent":    {limits: Limits{Timeout: 50 * time.Millisecond}, is: context.DeadlineExceeded},
		"/slow":      {limits: Limits{Timeout: 100 * time.Millisecond}, is: context.DeadlineExceeded},
		"/cut":       {is: io.ErrUnexpectedEOF},
		"/headers":   {fails: true},
		"/partial":   {code: http.StatusPartialContent},
		"/missing":   {code: http.StatusNotFound},
	} {
		t.Run(path, func(t *testing.T) {
			body, err := client.Get(t.Context(), server.URL+path, test.limits)
			var status *StatusError
			switch {
			case test.is != nil && !errors.Is(err, test.is):
				t.Fatalf("error %v, want %v", err, test.is)
			case test.code != 0 && (!errors.As(err, &status) || status.Code != test.code):
				t.Fatalf("error %v, want status %d", err, test.code)
			case test.is == nil && test.code == 0 && (err != nil) != test.fails:
				t.Fatalf("error %v", err)
			case err != nil && strings.Contains(err.Error(), "topsecret"):
				t.Fatalf("the error tells what the server answered: %v", err)
			}
			if string(body) != test.want {
				t.Errorf("got %q", body)
			}
		})
	}
}

func TestGetEndsWithContext(t *testing.T) {
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	client := newTestClient(t, Options{AllowLocal: true})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := client.Get(ctx, server.URL, Limits{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestRefusedURLs(t *testing.T) {
	var hits atomic.Int32
	server := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := newTestClient(t, Options{Resolver: resolver("127.0.0.1", "::1")})
	for _, raw := range []string{
		server.URL,
		"http://127.0.0.1:" + port,
		"http://127.1.2.3:" + port,
		"http://localhost:" + port,
		"http://[::1]:" + port,
		"http://[::ffff:127.0.0.1]:" + port,
		"http://[::ffff:7f00:1]:" + port,
		"http://0.0.0.0:" + port,
		"http://[::]:" + port,
		"http://169.254.169.254/latest/meta-data/",
		"http://[::ffff:169.254.169.254]/latest/meta-data/",
		"http://[fd00:ec2::254]/",
		"http://charts.example.com:" + port,
		"http://[::127.0.0.1]:" + port,
		"http://[64:ff9b::127.0.0.1]:" + port,
		"http://[2002:7f00:1::]:" + port,
		"http://224.0.0.1:" + port,
		"ftp://example.com/x",
		"file:///etc/passwd",
		"oci://example.com/x",
		"/etc/passwd",
		"http:///x",
		"http://%zz",
		"http://user:topsecret@example.com/",
		"http://example.com/" + strings.Repeat("x", maxURLBytes),
		"",
	} {
		_, err := client.Get(t.Context(), raw, Limits{Timeout: 5 * time.Second})
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%.80s: error %v, want ErrRefused", raw, err)
		}
		if err != nil && strings.Contains(err.Error(), "topsecret") {
			t.Errorf("the error tells a password: %v", err)
		}
	}
	// Names to Go, addresses to some resolvers: refused, or not found.
	for _, host := range []string{"2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.1"} {
		if _, err := client.Get(t.Context(), "http://"+host+":"+port, Limits{Timeout: 5 * time.Second}); err == nil {
			t.Errorf("%s is fetched", host)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d requests reached a refused server", n)
	}
}

func TestRedirects(t *testing.T) {
	var secret atomic.Int32
	hidden := serve(t, func(http.ResponseWriter, *http.Request) { secret.Add(1) })
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/base/hidden":
			http.Redirect(w, r, hidden.URL+"/?sig=topsecret", http.StatusFound)
		case "/base/loop":
			http.Redirect(w, r, "/base/loop?sig=topsecret", http.StatusFound)
		case "/base/metadata":
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusTemporaryRedirect)
		case "/base/garbage":
			w.Header().Set("Location", "http://[topsecret")
			w.WriteHeader(http.StatusFound)
		case "/base/user":
			http.Redirect(w, r, "http://user:topsecret@"+r.Host+"/base/end", http.StatusFound)
		case "/base/scheme":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/base/sibling":
			http.Redirect(w, r, "/base/end?sig=topsecret", http.StatusFound)
		case "/base/outside":
			http.Redirect(w, r, "/admin", http.StatusFound)
		default:
			if r.Header.Get("Referer") != "" {
				t.Error("a referrer was sent")
			}
			_, _ = io.WriteString(w, r.URL.Path)
		}
	})
	table, err := rewrite.New([]rewrite.Rule{{From: "https://charts.example.com", To: server.URL + "/base"}})
	if err != nil {
		t.Fatal(err)
	}
	client := newTestClient(t, Options{Rewrites: table})
	if body, err := client.Get(t.Context(), "https://charts.example.com/sibling", Limits{}); err != nil || string(body) != "/base/end" {
		t.Errorf("a redirect below the rewritten URL: %q, %v", body, err)
	}
	for _, path := range []string{"hidden", "loop", "metadata", "garbage", "user", "scheme", "outside"} {
		_, err := client.Get(t.Context(), "https://charts.example.com/"+path, Limits{Timeout: 5 * time.Second})
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: error %v, want ErrRefused", path, err)
		}
		if err != nil && strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: the error tells the query: %v", path, err)
		}
	}
	if secret.Load() != 0 {
		t.Error("a redirect reached a refused server")
	}

	site, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	// A client that is trusted may go about its own host, not to another.
	trusted := newTestClient(t, Options{}).HTTPClient(site, true)
	response, err := trusted.Get(server.URL + "/base/outside")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if _, err := trusted.Get(server.URL + "/base/hidden"); !errors.Is(err, ErrRefused) {
		t.Errorf("a redirect of a trusted server to another local one: %v", err)
	}
	if _, err := newTestClient(t, Options{}).HTTPClient(site, false).Get(server.URL); !errors.Is(err, ErrRefused) {
		t.Errorf("an untrusted client: %v", err)
	}
}

func TestHTTPSRedirectToHTTP(t *testing.T) {
	plain := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	t.Cleanup(secure.Close)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	client := newTestClient(t, Options{AllowLocal: true, RootCAs: roots})
	if _, err := client.Get(t.Context(), secure.URL, Limits{}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "https to http") {
		t.Error(err)
	}
	if _, err := newTestClient(t, Options{AllowLocal: true}).Get(t.Context(), secure.URL, Limits{}); err == nil {
		t.Error("an unknown certificate is accepted")
	}
}

func TestGetRewritten(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() != defaultUserAgent {
			t.Errorf("user agent %q", r.UserAgent())
		}
		_, _ = io.WriteString(w, r.URL.String())
	})
	table, err := rewrite.New([]rewrite.Rule{{From: "https://charts.example.com/a", To: server.URL + "/mirror"}})
	if err != nil {
		t.Fatal(err)
	}
	client := newTestClient(t, Options{Rewrites: table})
	for _, raw := range []string{"https://charts.example.com/a/index.yaml?x=y", server.URL + "/mirror/index.yaml?x=y"} {
		if body, err := client.Get(t.Context(), raw, Limits{}); err != nil || string(body) != "/mirror/index.yaml?x=y" {
			t.Errorf("%s: %q, %v", raw, body, err)
		}
	}
	if _, err := client.Get(t.Context(), server.URL+"/mirror/../x", Limits{}); !errors.Is(err, ErrRefused) {
		t.Errorf("outside of the mirror: %v", err)
	}
}

// TestSpeaksNoHTTP makes sure that a tenant cannot read the greeting of some
// other service from an error.
func TestSpeaksNoHTTP(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1024))
			_, _ = io.WriteString(conn, "topsecret greeting\r\n")
			conn.Close()
		}
	}()
	_, err = newTestClient(t, Options{AllowLocal: true}).Get(t.Context(), "http://"+listener.Addr().String(), Limits{})
	if err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Error(err)
	}
}

func TestProxy(t *testing.T) {
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "by proxy: "+r.RequestURI)
	})
	proxyURL, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := newTestClient(t, Options{Proxy: http.ProxyURL(proxyURL)})
	if body, err := client.Get(t.Context(), "http://charts.example.com/x", Limits{}); err != nil || string(body) != "by proxy: http://charts.example.com/x" {
		t.Errorf("%q, %v", body, err)
	}
	if _, err := client.Get(t.Context(), "http://169.254.169.254/", Limits{}); !errors.Is(err, ErrRefused) {
		t.Errorf("a local address through the proxy: %v", err)
	}
	broken := newTestClient(t, Options{Proxy: func(*http.Request) (*url.URL, error) {
		return nil, errors.New("parsing http://user:topsecret@proxy")
	}})
	if _, err := broken.Get(t.Context(), "http://charts.example.com/x", Limits{}); err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("a proxy that is no URL: %v", err)
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"https://u:p@a/b?c=d#e": "https://a/b",
		"https://a/b%2fc":       "https://a/b%2fc",
		"://":                   "the URL",
	} {
		if got := Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}
