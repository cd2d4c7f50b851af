// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestPaths(t *testing.T) {
	for _, prefix := range []string{"", "/k8s/clusters/c-1", "/k8s/a%2Fb"} {
		f := start(t, prefix, Options{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Saw", r.RequestURI)
			w.Header().Set("Saw-Host", r.Host)
		})
		for path, want := range map[string]string{
			"":                                  "/",
			"/":                                 "/",
			"/api/v1/pods":                      "/api/v1/pods",
			"/api/v1/pods/":                     "/api/v1/pods/",
			"/api/v1/pods?watch=1&path=/../x":   "/api/v1/pods?watch=1&path=/../x",
			"/api?path=%2Fevil":                 "/api?path=%2Fevil",
			"/api?a=b;c&d=%zz":                  "/api?a=b;c&d=%zz",
			"/api?dryRun=All&dryRun=All":        "/api?dryRun=All&dryRun=All",
			"/api/v1/a%20b":                     "/api/v1/a%20b",
			"/api/v1/a%3Fb%23c":                 "/api/v1/a%3Fb%23c",
			"/api/v1/100%25":                    "/api/v1/100%25",
			"/apis/x/..y/...":                   "/apis/x/..y/...",
			"/http:/elsewhere.example/api":      "/http:/elsewhere.example/api",
			"/@elsewhere.example/api":           "/@elsewhere.example/api",
			"/api/v1/namespaces/a/services/b:c": "/api/v1/namespaces/a/services/b:c",
		} {
			response, body := f.get(t, path, http.Header{"Host": {"elsewhere.example"}})
			if got := response.Header.Get("Saw"); got != prefix+want {
				t.Errorf("prefix %q: %s arrived as %s, want %s (%s %s)", prefix, path, got, prefix+want, response.Status, body)
			}
			if got := response.Header.Get("Saw-Host"); "https://"+got != f.target.URL {
				t.Errorf("%s was sent to host %s", path, got)
			}
		}
		for _, path := range []string{
			"/..", "/../x", "/api/../../other", "/api/..", "/./api", "/api/.",
			"/%2e%2e/x", "/api/%2E%2e/x", "/%2e/x", "/.%2e/x",
			"/%252e%252e/x", "/%25252e%25252e/x", "/%2525252525252e/x",
			"//api", "/api//v1", "///", "/https://elsewhere.example/api",
			"/api%2fv1", "/api/..%2f..%2fx", "/%2F%2Felsewhere.example", "/api%5c..%5cx", "/api/..%5Cx", "/api%252f..%252fx",
			"/..;/x", "/..;a=b/x", "/%2e%2e%3b/x",
			"/api%00", "/api%0d%0aImpersonate-User:%20root", "/api%7f",
		} {
			response, body := f.get(t, path, nil)
			if response.StatusCode != http.StatusBadRequest || !strings.Contains(body, "the path") {
				t.Errorf("prefix %q: %s was answered with %s %s, arrived as %s", prefix, path, response.Status, body, response.Header.Get("Saw"))
			}
		}
	}
}

// A path without its slash cannot come from the API server, and would become
// part of the name of the server.
func TestPathWithoutSlash(t *testing.T) {
	for _, path := range []string{"api", ".elsewhere.example", "@elsewhere.example", ":1234"} {
		if u, err := location("https://target.example", path, &url.URL{Path: path}); err == nil {
			t.Errorf("%s leads to %s", path, u)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/api", "/%2e%2e/x", "//x", "/a;b/..", "/%25", "/a%zz"} {
		f.Add(seed)
	}
	const endpoint = "https://target.example/k8s/c-1"
	f.Fuzz(func(t *testing.T, path string) {
		u, err := location(endpoint, path, &url.URL{Path: path})
		if err != nil {
			return
		}
		if u.Host != "target.example" || u.User != nil || u.RawQuery != "" || !strings.HasPrefix(u.EscapedPath(), "/k8s/c-1/") {
			t.Errorf("%q leads to %s", path, u)
		}
		// As a server would clean it.
		if clean := u.JoinPath(); !strings.HasPrefix(clean.EscapedPath(), "/k8s/c-1/") && clean.EscapedPath() != "/k8s/c-1" {
			t.Errorf("%q is %s when it is cleaned", path, clean)
		}
	})
}
