// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"testing"

	"ksit.io/ksit/pkg/rewrite"
)

func allowed(t *testing.T, list ...string) *AllowedSources {
	t.Helper()
	a, err := ParseAllowedSources(list)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestPermit(t *testing.T) {
	list := allowed(t, "https://charts.example.com/stable/", "oci://ghcr.io/argoproj", "https://*.corp.example", "mirror.example.com", "http://plain.example.com:8080")
	client := newTestClient(t, Options{Allowed: list})
	for raw, want := range map[string]bool{
		"https://charts.example.com/stable":                    true,
		"https://charts.example.com/stable/index.yaml?x=y":     true,
		"https://CHARTS.example.COM:443/stable/x":              true,
		"https://charts.example.com:8443/stable/x":             false,
		"http://charts.example.com/stable/x":                   false,
		"https://charts.example.com/stablex":                   false,
		"https://charts.example.com/":                          false,
		"https://charts.example.com/stable/../secret":          false,
		"https://charts.example.com/stable/%2e%2e/secret":      false,
		"https://charts.example.com/stable/..%2fsecret":        false,
		"https://charts.example.com/stable//secret":            false,
		"https://charts.example.com/stable/a%5cb":              false,
		"https://charts.example.com/%73table/x":                false,
		"https://charts.example.com.evil.example/stable/x":     false,
		"https://evil.example/charts.example.com/stable":       false,
		"https://charts.example.com@evil.example/stable/x":     false,
		"https://user:topsecret@charts.example.com/stable/x":   false,
		"https://charts.example.com./stable/x":                 false,
		"https://\uff43harts.example.com/stable/x":             false,
		"oci://ghcr.io/argoproj/argo-helm":                     true,
		"oci://GHCR.io/argoproj/argo-helm":                     true,
		"oci://ghcr.io/argoproject/x":                          false,
		"oci://ghcr.io/other/x":                                false,
		"https://ghcr.io/v2/argoproj/argo-helm/blobs/sha256:0": true,
		"https://ghcr.io/v2/other/blobs/sha256:0":              false,
		"https://ghcr.io/argoproj/x":                           false,
		"https://a.corp.example/x":                             true,
		"https://a.b.corp.example/x":                           true,
		"https://corp.example/x":                               false,
		"https://.corp.example/x":                              false,
		"https://acorp.example/x":                              false,
		"https://evil.example\uff0fa.corp.example/x":           false,
		"https://a.corp.example:8443/x":                        false,
		"oci://a.corp.example/x":                               false,
		"https://mirror.example.com/any/thing":                 true,
		"oci://mirror.example.com/any/thing":                   true,
		"http://mirror.example.com/any/thing":                  false,
		"http://plain.example.com:8080/x":                      true,
		"http://plain.example.com/x":                           false,
		"ftp://mirror.example.com/x":                           false,
		"file:///etc/passwd":                                   false,
		"https:mirror.example.com":                             false,
		"//mirror.example.com/x":                               false,
		"https://[::1]/x":                                      false,
		"%":                                                    false,
		"":                                                     false,
	} {
		err := client.Permit(raw)
		if (err == nil) != want {
			t.Errorf("%s: %v, want permitted %t", raw, err, want)
		}
		if err != nil && (!errors.Is(err, ErrNotAllowed) || !errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "topsecret")) {
			t.Errorf("%s: error %v", raw, err)
		}
	}
	err := client.Permit("https://evil.example/x?sig=topsecret")
	if err == nil || !strings.Contains(err.Error(), "https://evil.example/x is none of what it allows: https://charts.example.com/stable/, oci://ghcr.io/argoproj,") ||
		strings.Contains(err.Error(), "topsecret") {
		t.Errorf("the error does not say what is allowed: %v", err)
	}
	for _, everything := range []*AllowedSources{nil, allowed(t)} {
		if err := newTestClient(t, Options{Allowed: everything}).Permit("https://anything.example/x"); err != nil {
			t.Error(err)
		}
	}
}

func TestParseAllowedSources(t *testing.T) {
	for raw, says := range map[string]string{
		"":                                 "has no host",
		"https://":                         "has no host",
		"charts.example.com/stable":        "must begin with",
		"ftp://charts.example.com":         "must begin with",
		"https://user@charts.example.com":  "user name",
		"https://charts.example.com/a/../": "dot segments",
		"https://charts.example.com/?x":    "no query",
		"https://charts.example.com/#x":    "no query",
		"https://*":                        "star",
		"*":                                "star",
		"https://*.":                       "no host",
		"https://charts.*.com":             "star",
		"https://*charts.example.com":      "star",
		"https://*.*.example.com":          "star",
		"https://b\u00fccher.example":      "xn--",
		"https://%zz":                      "not a URL",
	} {
		if _, err := ParseAllowedSources([]string{"https://fine.example", raw}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: error %v, want one about %q", raw, err, says)
		}
	}
	if _, err := ParseAllowedSources(make([]string, maxAllowed+1)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
}

// TestAllowedOnTheWay makes sure that neither a redirect nor a library leads
// away from the allowed sources, and that the operator's mirror is trusted.
func TestAllowedOnTheWay(t *testing.T) {
	var reached atomic.Int32
	evil := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		_, _ = io.WriteString(w, "evil")
	})
	cdn := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "from the CDN") })
	var site *url.URL
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good/evil":
			http.Redirect(w, r, evil.URL+"/topsecret", http.StatusFound)
		case "/good/cdn":
			http.Redirect(w, r, cdn.URL+"/x", http.StatusFound)
		case "/good/twice":
			http.Redirect(w, r, "/good/evil", http.StatusFound)
		case "/good/sideways":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		default:
			_, _ = io.WriteString(w, r.URL.Path)
		}
	})
	site, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	table, err := rewrite.New([]rewrite.Rule{{From: "https://charts.example.com", To: server.URL + "/good"}})
	if err != nil {
		t.Fatal(err)
	}
	named := newTestClient(t, Options{AllowLocal: true, Allowed: allowed(t, server.URL+"/good", cdn.URL)})
	mirrored := newTestClient(t, Options{AllowLocal: true, Rewrites: table, Allowed: allowed(t, "https://charts.example.com/", cdn.URL)})
	for _, test := range []struct {
		client    *Client
		url, want string
	}{
		{named, server.URL + "/good/x", "/good/x"},
		{named, server.URL + "/good/cdn", "from the CDN"},
		{named, server.URL + "/good/evil", ""},
		{named, server.URL + "/good/twice", ""},
		{named, server.URL + "/good/sideways", ""},
		{named, server.URL + "/elsewhere", ""},
		{named, evil.URL + "/x", ""},
		{mirrored, "https://charts.example.com/x", "/good/x"},
		{mirrored, "https://charts.example.com/cdn", "from the CDN"},
		{mirrored, "https://charts.example.com/evil", ""},
		{mirrored, server.URL + "/good/x", "/good/x"},
		{mirrored, evil.URL + "/x", ""},
		{mirrored, server.URL + "/elsewhere", ""},
	} {
		body, err := test.client.Get(t.Context(), test.url, Limits{})
		if string(body) != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: %q, %v", test.url, body, err)
		}
		if err != nil && (!errors.Is(err, ErrNotAllowed) || strings.Contains(err.Error(), "topsecret")) {
			t.Errorf("%s: error %v", test.url, err)
		}
	}
	library := named.HTTPClient(site, false)
	if response, err := library.Get(server.URL + "/token"); err != nil {
		t.Errorf("the host of the site: %v", err)
	} else {
		response.Body.Close()
	}
	for _, raw := range []string{evil.URL + "/token", server.URL + "/good/evil", server.URL + "/good/sideways"} {
		if _, err := library.Get(raw); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("a library at %s: %v", raw, err)
		}
	}
	if reached.Load() != 0 {
		t.Errorf("%d requests reached a server that is not allowed", reached.Load())
	}
}

// FuzzPermit makes sure that what is permitted is at the host, and below the
// path, that a client would ask for.
func FuzzPermit(f *testing.F) {
	for _, seed := range []string{
		"https://charts.example.com/stable/x", "https://charts.example.com/stable/%2e%2e/x", "https://a.example.org/x", "https://a@charts.example.com/stable",
		"https://charts.example.com:443/stable", "https://\uff43harts.example.com/stable", "oci://charts.example.com/stable", "https://evil/.example.org",
	} {
		f.Add(seed)
	}
	list, err := ParseAllowedSources([]string{"https://charts.example.com/stable", "https://*.example.org"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.Parse(raw)
		if err != nil || list.check(u, "it") != nil {
			return
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, raw, nil)
		if err != nil {
			t.Fatalf("permitted, but no URL: %v", err)
		}
		host := strings.ToLower(request.URL.Hostname())
		below := path.Clean(request.URL.Path) + "/"
		switch {
		case !strings.EqualFold(request.URL.Scheme, "https"), request.URL.User != nil, request.URL.Port() != "" && request.URL.Port() != "443":
			t.Errorf("%q is permitted", raw)
		case host == "charts.example.com" && strings.HasPrefix(below, "/stable/"):
		case strings.HasSuffix(host, ".example.org"):
		default:
			t.Errorf("%q is permitted: host %q, path %q", raw, host, below)
		}
	})
}

func FuzzParseAllowedSources(f *testing.F) {
	for _, seed := range []string{"https://charts.example.com/stable/", "*.example.com", "oci://ghcr.io", "https://*", "[::1]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		list, err := ParseAllowedSources([]string{entry})
		if err == nil && list.everything() {
			t.Errorf("%q allows everything", entry)
		}
	})
}
