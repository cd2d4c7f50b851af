// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"ksit.io/ksit/test/bed"
	"ksit.io/ksit/test/e2e/tunnel"
)

// internet is the world as far as it is reached through a proxy: it has the
// servers of the world's charts, until it is closed. From then on nobody reaches
// anything, and it is noted what was wanted.
type internet struct {
	// proxy is the proxy's URL.
	proxy string
	world string

	mu     sync.Mutex
	closed bool
	wanted []string
}

func openInternet(t *testing.T, cert tls.Certificate) *internet {
	t.Helper()
	i := &internet{}
	i.world = serveTLS(t, cert, http.HandlerFunc(i.serveWorld)).Listener.Addr().String()
	proxy := httptest.NewServer(i)
	t.Cleanup(proxy.Close)
	i.proxy = proxy.URL
	return i
}

func serveTLS(t *testing.T, cert tls.Certificate, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// serveWorld answers as the servers would that the bed has stand-ins of.
func (i *internet) serveWorld(w http.ResponseWriter, r *http.Request) {
	address := "https://" + strings.TrimSuffix(r.Host, ":443") + r.URL.Path
	for _, rule := range s.bed.Charts.Rewrites() {
		if rest, ok := strings.CutPrefix(address, rule.From+"/"); ok {
			to, err := url.Parse(rule.To)
			if err != nil {
				break
			}
			r.URL.Path = to.Path + "/" + rest
			s.bed.Charts.Server.ServeHTTP(w, r)
			return
		}
	}
	http.NotFound(w, r)
}

// ServeHTTP is the proxy.
func (i *internet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	closed := i.closed
	if closed {
		i.wanted = append(i.wanted, r.Host)
	}
	i.mu.Unlock()
	if closed || r.Method != http.MethodConnect {
		http.Error(w, "there is no way out", http.StatusForbidden)
		return
	}
	tunnel.Connect(w, i.world)
}

func (i *internet) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
}

// wantedSince returns the hosts that were wanted since it was closed.
func (i *internet) wantedSince() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(i.wanted)))
}

// worldCert is a certificate of the bed's authority for the servers of the world
// and those of the closed network, and that authority.
func worldCert(t *testing.T) (cert tls.Certificate, ca *bed.CertFiles) {
	t.Helper()
	names := []string{"world", "127.0.0.1"}
	for _, rule := range s.bed.Charts.Rewrites() {
		from, err := url.Parse(rule.From)
		must(t, err)
		names = append(names, from.Hostname())
	}
	ca, err := s.bed.ServingCert(names...)
	must(t, err)
	cert, err = tls.LoadX509KeyPair(ca.Cert, ca.Key)
	must(t, err)
	return cert, ca
}

// download fetches through a proxy, as curl does.
func download(t *testing.T, i *internet, ca []byte, address string) []byte {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	proxy, err := url.Parse(i.proxy)
	must(t, err)
	client := http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true,
	}}
	response, err := client.Get(address)
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s (%v)", address, response.Status, err)
	}
	return body
}
