// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ksit.io/ksit/pkg/rewrite"
)

// authority is a CA of the tests.
type authority struct {
	pem         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pem = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return a
}

// issue makes a certificate for loopback, for servers and clients.
func (a *authority) issue(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "me"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// seen is what a server saw of those who asked, in order.
type seen struct {
	mu  sync.Mutex
	all []string
}

func (s *seen) add(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who := r.Header.Get("Authorization")
	if user, password, ok := r.BasicAuth(); ok {
		who = user + ":" + password
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		who += " certificate of " + r.TLS.PeerCertificates[0].Subject.CommonName
	}
	s.all = append(s.all, who)
}

func (s *seen) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

// serveTLS starts a server with a certificate of the authority, which takes
// client certificates of it.
func (a *authority) serveTLS(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	certificate, key := a.issue(t)
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.certificate)
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clients}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func mustFor(t *testing.T, client *Client, access *Access, site string) *Client {
	t.Helper()
	view, err := client.For(access, site)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

func TestAccessGoesToItsSiteOnly(t *testing.T) {
	authority := newAuthority(t)
	certificate, key := authority.issue(t)
	var there, elsewhere seen
	other := authority.serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		elsewhere.add(r)
		if r.URL.Path == "/denied" {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	site := authority.serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		there.add(r)
		switch r.URL.Path {
		case "/here":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/there", "/denied":
			http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
		case "/refused":
			w.WriteHeader(http.StatusForbidden)
		}
	})
	table, err := rewrite.New([]rewrite.Rule{
		{From: "https://charts.example.com", To: site.URL + "/mirror"},
		{From: site.URL + "/moved", To: other.URL},
	})
	if err != nil {
		t.Fatal(err)
	}
	pair := Access{Certificate: []byte(certificate), Key: []byte(key), CA: []byte(authority.pem)}
	password, token := pair, pair
	password.Username, password.Password = "me", "topsecret"
	token.Token = "topsecret"
	const ofPassword, ofToken = "me:topsecret certificate of me", "Bearer topsecret certificate of me"
	for name, test := range map[string]struct {
		access          *Access
		url             string
		here, elsewhere []string
		code            int
		presented       bool
	}{
		"a password":                {access: &password, url: site.URL, here: []string{ofPassword}},
		"a token":                   {access: &token, url: site.URL, here: []string{ofToken}},
		"a certificate alone":       {access: &pair, url: site.URL, here: []string{" certificate of me"}},
		"a redirect on the site":    {access: &password, url: site.URL + "/here", here: []string{ofPassword, ofPassword}},
		"a redirect to elsewhere":   {access: &password, url: site.URL + "/there", here: []string{ofPassword}, elsewhere: []string{""}},
		"a URL elsewhere":           {access: &token, url: other.URL, elsewhere: []string{""}},
		"rewritten to elsewhere":    {access: &password, url: site.URL + "/moved/x", elsewhere: []string{""}},
		"refused by the site":       {access: &password, url: site.URL + "/refused", here: []string{ofPassword}, code: 403, presented: true},
		"refused elsewhere":         {access: &password, url: site.URL + "/denied", here: []string{ofPassword}, elsewhere: []string{""}, code: 403},
		"refused a certificate":     {access: &pair, url: site.URL + "/refused", here: []string{" certificate of me"}, code: 403, presented: true},
		"refused with the CA alone": {access: &Access{CA: pair.CA}, url: site.URL + "/refused", here: []string{""}, code: 403},
	} {
		t.Run(name, func(t *testing.T) {
			client := newTestClient(t, Options{AllowLocal: true, Rewrites: table})
			_, err := mustFor(t, client, test.access, site.URL+"/charts").Get(t.Context(), test.url, Limits{})
			if test.code != 0 {
				status, ok := errors.AsType[*StatusError](err)
				if !ok || status.Code != test.code || status.Presented != test.presented {
					t.Fatalf("error %v, %+v", err, status)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if got := there.take(); !slices.Equal(got, test.here) {
				t.Errorf("the site saw %q", got)
			}
			if got := elsewhere.take(); !slices.Equal(got, test.elsewhere) {
				t.Errorf("the other one saw %q", got)
			}
		})
	}
	t.Run("what a tenant names is rewritten to another host", func(t *testing.T) {
		client := mustFor(t, newTestClient(t, Options{Rewrites: table}), &password, "https://charts.example.com")
		if _, err := client.Get(t.Context(), "https://charts.example.com/x", Limits{}); err != nil {
			t.Fatal(err)
		}
		if got := there.take(); !slices.Equal(got, []string{""}) {
			t.Errorf("the mirror saw %q", got)
		}
	})
	t.Run("a library authenticates by itself, by TLS excepted", func(t *testing.T) {
		client := mustFor(t, newTestClient(t, Options{AllowLocal: true}), &password, site.URL)
		at, err := url.Parse(site.URL)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.HTTPClient(at, false).Get(site.URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got := there.take(); !slices.Equal(got, []string{" certificate of me"}) {
			t.Errorf("the site saw %q", got)
		}
	})
}

func TestOwnCA(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	nothing := func(http.ResponseWriter, *http.Request) {}
	other := theirs.serveTLS(t, nothing)
	site := ours.serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/there" {
			http.Redirect(w, r, other.URL, http.StatusFound)
		}
	})
	roots := x509.NewCertPool()
	roots.AddCert(theirs.certificate)
	client := newTestClient(t, Options{AllowLocal: true, RootCAs: roots})
	access := &Access{CA: []byte(ours.pem)}
	for name, test := range map[string]struct {
		access    *Access
		site, url string
		trusted   bool
	}{
		"without it": {site: site.URL, url: site.URL},
		"with it":    {access: access, site: site.URL, url: site.URL, trusted: true},
		"it takes the place of those of the system": {access: access, site: other.URL, url: other.URL},
		"elsewhere those of the system count too":   {access: access, site: site.URL, url: site.URL + "/there", trusted: true},
		"and so does it": {access: access, site: other.URL, url: site.URL, trusted: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mustFor(t, client, test.access, test.site).Get(t.Context(), test.url, Limits{})
			if (err == nil) != test.trusted {
				t.Error(err)
			}
		})
	}
	for name, broken := range map[string]*Access{"CA": {CA: []byte("topsecret")}, "certificate": {Certificate: []byte("topsecret"), Key: []byte("topsecret")}} {
		if _, err := client.For(broken, site.URL); !errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("a broken %s: %v", name, err)
		}
	}
}

func TestNoCredentialsInTheClear(t *testing.T) {
	var got seen
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) { got.add(r) })
	table, err := rewrite.New([]rewrite.Rule{{From: "https://charts.example.com", To: server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	access := &Access{Username: "me", Password: "topsecret"}
	careful := mustFor(t, newTestClient(t, Options{Rewrites: table}), access, server.URL)
	if _, err := careful.Get(t.Context(), server.URL, Limits{}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "plain http") {
		t.Errorf("error %v", err)
	}
	if all := got.take(); len(all) != 0 {
		t.Errorf("the server was asked: %q", all)
	}
	bed := mustFor(t, newTestClient(t, Options{AllowLocal: true}), access, server.URL)
	if _, err := bed.Get(t.Context(), server.URL, Limits{}); err != nil || !slices.Equal(got.take(), []string{"me:topsecret"}) {
		t.Errorf("on a test bed: %v", err)
	}
}

func TestNothingIsSharedBetweenThoseWithOtherAccess(t *testing.T) {
	for name, dir := range map[string]string{"memory": "", "disk": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			var conditional seen
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("If-None-Match") != "" {
					conditional.add(r)
					// As a server would that looks at the condition before it
					// looks at who asks.
					w.WriteHeader(http.StatusNotModified)
					return
				}
				user, _, _ := r.BasicAuth()
				w.Header().Set("ETag", "x")
				_, _ = io.WriteString(w, "for "+user)
			})
			client := newTestClient(t, Options{AllowLocal: true, CacheDir: dir})
			scopes := map[string]bool{}
			for _, who := range []*Access{nil, {Username: "a", Password: "1"}, {Username: "a", Password: "2"}, {Username: "b", Password: "1"}} {
				view := mustFor(t, client, who, server.URL)
				want := "for "
				if who != nil {
					want += who.Username
				}
				for range 2 {
					if body, err := view.Get(t.Context(), server.URL, Limits{}); err != nil || string(body) != want {
						t.Errorf("%+v got %q, %v", who, body, err)
					}
				}
				if got := conditional.take(); len(got) != 1 {
					t.Errorf("%+v: %d conditional requests", who, len(got))
				}
				scopes[view.Scope()] = true
			}
			if len(scopes) != 4 || !scopes[""] {
				t.Errorf("scopes: %v", scopes)
			}
		})
	}
}

func TestScope(t *testing.T) {
	one, two := newTestClient(t, Options{}), newTestClient(t, Options{})
	access := &Access{Username: "me", Password: "topsecret"}
	scope := func(c *Client, a Access, site string) string { return mustFor(t, c, &a, site).Scope() }
	if scope(one, *access, "https://a/x") != scope(one, *access, "https://A:443/y") {
		t.Error("the same site has two scopes")
	}
	for name, other := range map[string]string{
		"another process":      scope(two, *access, "https://a"),
		"another site":         scope(one, *access, "https://a:8443"),
		"parts cut otherwise":  scope(one, Access{Username: "met", Password: "opsecret"}, "https://a"),
		"a password as token":  scope(one, Access{Username: "me", Token: "topsecret"}, "https://a"),
		"with a token as well": scope(one, Access{Username: "me", Password: "topsecret", Token: "x"}, "https://a"),
	} {
		if other == scope(one, *access, "https://a") {
			t.Errorf("%s has the same scope", name)
		}
	}
}

func TestOwnTransportsAreBounded(t *testing.T) {
	ca := newAuthority(t).pem
	client := newTestClient(t, Options{})
	var first *Client
	for i := range 2 * maxOwnTransports {
		view := mustFor(t, client, &Access{CA: []byte(fmt.Sprintf("%s\n# %d\n", ca, i))}, "https://a")
		if i == 0 {
			first = view
		}
		// It stays what is used most recently.
		if mustFor(t, client, first.as.access, "https://b").as.toSite != first.as.toSite {
			t.Fatal("one that is in use was dropped")
		}
		if n := len(client.own.byKey); n > maxOwnTransports || n != client.own.order.Len() {
			t.Fatalf("%d transports are kept, %d in order", n, client.own.order.Len())
		}
	}
}

func TestDenied(t *testing.T) {
	for name, test := range map[string]struct {
		access    *Access
		presented bool
		says      string
	}{
		"none was given":   {nil, false, "has none"},
		"only a CA":        {&Access{CA: []byte("x")}, false, "has none"},
		"it was not sent":  {&Access{Token: "topsecret"}, false, "was not sent"},
		"it was refused":   {&Access{Token: "topsecret"}, true, "does not accept"},
		"a refused client": {&Access{Certificate: []byte("topsecret")}, true, "does not accept"},
	} {
		if got := Denied(test.access, test.presented); !strings.Contains(got, test.says) || strings.Contains(got, "topsecret") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
