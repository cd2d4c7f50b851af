// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

// recorded is what a target saw of a request that ActAs sent.
type recorded struct {
	proto   string
	path    string
	header  http.Header
	trailer http.Header
}

// recorder is a target that keeps what it is sent.
func recorder(t *testing.T, prefix string) (*Connection, func() recorded) {
	t.Helper()
	requests := make(chan recorded, 10)
	_, d := server(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		requests <- recorded{r.Proto, r.URL.Path, r.Header.Clone(), r.Trailer.Clone()}
	})
	d.cluster()["server"] = d.cluster()["server"].(string) + prefix
	set := NewSet(Options{})
	t.Cleanup(set.Close)
	return connect(t, set, d.bytes(t)), func() recorded {
		select {
		case r := <-requests:
			return r
		default:
			t.Fatal("nothing arrived")
			return recorded{}
		}
	}
}

func send(t *testing.T, transport http.RoundTripper, method, url string, change func(*http.Request)) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(request)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// identityOf returns the headers that say who sends a request.
func identityOf(header http.Header) map[string][]string {
	found := map[string][]string{}
	for name, values := range header {
		folded := strings.ReplaceAll(strings.ToLower(name), "_", "-")
		for _, family := range []string{"impersonate-", "x-remote-", "authorization", "cookie", "proxy-", "sec-websocket-protocol"} {
			if strings.HasPrefix(folded, family) {
				found[folded] = values
			}
		}
	}
	return found
}

var jane = rest.ImpersonationConfig{
	UserName: "jane", UID: "42", Groups: []string{"dev", "ops"},
	Extra: map[string][]string{"example.com/team": {"red", "blue"}, "Odd_Key": {"x"}},
}

var janeSeen = map[string][]string{
	"authorization":                        {"Bearer " + secret},
	"impersonate-user":                     {"jane"},
	"impersonate-uid":                      {"42"},
	"impersonate-group":                    {"dev", "ops"},
	"impersonate-extra-example.com%2fteam": {"red", "blue"},
	"impersonate-extra-%4fdd%5f%4bey":      {"x"},
}

func TestActAsIsTheOnlyIdentity(t *testing.T) {
	c, next := recorder(t, "")
	transport, err := c.ActAs(jane)
	if err != nil {
		t.Fatal(err)
	}
	forged := http.Header{
		"Authorization":          {"Bearer callers-token"},
		"authorization":          {"Bearer callers-token"},
		"Cookie":                 {"session=1"},
		"Impersonate-User":       {"root", "admin"},
		"impersonate-user":       {"root"},
		"IMPERSONATE_USER":       {"root"},
		"Impersonate_Group":      {"system:masters"},
		"Impersonate-Group":      {"system:masters"},
		"impersonate-gROUP":      {"system:masters"},
		"Impersonate-Uid":        {"0"},
		"Impersonate-Extra-Root": {"yes"},
		"Impersonate-Anything":   {"yes"},
		"X-Remote-User":          {"root"},
		"x_remote_group":         {"system:masters"},
		"X-Remote-Extra-A":       {"b"},
		"Proxy-Authorization":    {"Basic eDp5"},
		"Sec-Websocket-Protocol": {"v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.dG9rZW4", "BASE64URL.bearer.authorization.k8s.io.dG9rZW4,v4.channel.k8s.io"},
		"Connection":             {"Impersonate-User, Authorization, Impersonate-Group"},
	}
	want := maps.Clone(janeSeen)
	want["sec-websocket-protocol"] = []string{"v5.channel.k8s.io, v4.channel.k8s.io"}
	for _, upgrade := range []string{"", "SPDY/3.1"} {
		err := send(t, transport, http.MethodPost, c.Info().Endpoint+"/api", func(r *http.Request) {
			r.Header = forged.Clone()
			if upgrade != "" {
				r.Header.Set("Upgrade", upgrade)
				r.Header.Add("Connection", "upgrade")
			}
			r.Body = io.NopCloser(strings.NewReader("{}"))
			r.ContentLength = -1
			r.Trailer = http.Header{"Impersonate-User": {"root"}}
		})
		if err != nil {
			t.Fatal(err)
		}
		got := next()
		if diff := cmp.Diff(want, identityOf(got.header)); diff != "" {
			t.Errorf("upgrade to %q: identity (-want +got)\n%s", upgrade, diff)
		}
		if len(got.trailer) > 0 {
			t.Errorf("trailers arrived: %v", got.trailer)
		}
		wantProto, wantConnection := "HTTP/2.0", []string(nil)
		if upgrade != "" {
			wantProto, wantConnection = "HTTP/1.1", []string{"Upgrade"}
		}
		if got.proto != wantProto || !slices.Equal(got.header["Connection"], wantConnection) {
			t.Errorf("upgrade to %q: %s with Connection %q", upgrade, got.proto, got.header["Connection"])
		}
	}
	if forged.Get("Authorization") != "Bearer callers-token" {
		t.Error("the request of the caller was changed")
	}
}

// Two users on the connections of one target must never be mixed up.
func TestActAsIsPerUser(t *testing.T) {
	c, next := recorder(t, "")
	for _, name := range []string{"jane", "joe", "jane"} {
		transport, err := c.ActAs(rest.ImpersonationConfig{UserName: name})
		if err != nil {
			t.Fatal(err)
		}
		if err := send(t, transport, http.MethodGet, c.Info().Endpoint+"/api", nil); err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{"authorization": {"Bearer " + secret}, "impersonate-user": {name}}
		if diff := cmp.Diff(want, identityOf(next().header)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

// The connection of a tenant lends nobody the tenant's power either.
func TestActAsOnATenantsConnection(t *testing.T) {
	c, next := recorder(t, "")
	tenant, err := c.As(Identity{User: "tenant", Groups: []string{"tenants"}})
	if err != nil {
		t.Fatal(err)
	}
	transport, err := tenant.ActAs(rest.ImpersonationConfig{UserName: "jane"})
	if err != nil {
		t.Fatal(err)
	}
	if err := send(t, transport, http.MethodGet, c.Info().Endpoint+"/api", nil); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"authorization": {"Bearer " + secret}, "impersonate-user": {"jane"}}
	if diff := cmp.Diff(want, identityOf(next().header)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestActAsGoesNowhereElse(t *testing.T) {
	c, next := recorder(t, "/k8s/clusters/c-1")
	transport, err := c.ActAs(jane)
	if err != nil {
		t.Fatal(err)
	}
	server := strings.TrimSuffix(c.Info().Endpoint, "/k8s/clusters/c-1")
	for _, url := range []string{
		"https://elsewhere.example/k8s/clusters/c-1/api",
		server + "/api",
		server + "/k8s/clusters/c-12/api",
		server + "/k8s/clusters/c-1",
		strings.Replace(server, "https:", "http:", 1) + "/k8s/clusters/c-1/api",
		strings.Replace(server, "https://", "https://me:secret@", 1) + "/k8s/clusters/c-1/api",
	} {
		if err := send(t, transport, http.MethodGet, url, nil); !errors.Is(err, ErrElsewhere) {
			t.Errorf("%s: %v", url, err)
		}
	}
	err = send(t, transport, http.MethodGet, server+"/k8s/clusters/c-1/api", func(r *http.Request) { r.Host = "elsewhere.example" })
	if err != nil {
		t.Fatal(err)
	}
	if got := next(); got.path != "/k8s/clusters/c-1/api" {
		t.Errorf("arrived at %s", got.path)
	}
}

// A name that changes on the way is another user's.
func TestActAsRefuses(t *testing.T) {
	c, _ := recorder(t, "")
	for name, user := range map[string]rest.ImpersonationConfig{
		"nobody":                {Groups: []string{"dev"}},
		"a blank at the end":    {UserName: "admin "},
		"a blank at the front":  {UserName: "\tadmin"},
		"a line break":          {UserName: "jane\r\nImpersonate-Group: system:masters"},
		"a NUL":                 {UserName: "jane\x00"},
		"a blank after a group": {UserName: "jane", Groups: []string{"dev "}},
		"a group without name":  {UserName: "jane", Groups: []string{""}},
		"a line break in extra": {UserName: "jane", Extra: map[string][]string{"a": {"b\nc"}}},
		"an extra without key":  {UserName: "jane", Extra: map[string][]string{"": {"b"}}},
		"a blank UID":           {UserName: "jane", UID: " "},
	} {
		if _, err := c.ActAs(user); err == nil {
			t.Errorf("%s was accepted", name)
		} else if strings.Contains(err.Error(), "system:masters") {
			t.Errorf("%s: the error repeats what was given: %v", name, err)
		}
	}
}
