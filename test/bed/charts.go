// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/yaml"

	"ksit.io/ksit/test/bed/chartserver"
	"ksit.io/ksit/test/bed/internal/pki"
)

// Charts is the bed's chart server.
type Charts struct {
	// URL is where it listens, without a slash at the end.
	URL string
	// SecureURL is where it listens with TLS, by a certificate of CA, which no
	// system has. It asks for client certificates, and takes those of CA.
	SecureURL string
	// CA, and the client certificate that opens what is served under /mutual with
	// its key, are PEM.
	CA, ClientCert, ClientKey []byte
	// Signer has the public keys by which all charts are signed.
	Signer *chartserver.Signer
	// Server counts requests, misbehaves and publishes on demand.
	Server *chartserver.Server

	http, https *http.Server
}

// ChartsUsername and ChartsPassword open what the chart server serves under
// /private, and ChartsToken what it serves under /token.
const (
	ChartsUsername = "bed"
	ChartsPassword = "correct-horse-battery-staple"
	ChartsToken    = "bed-token-of-the-charts"
)

// rewrites lead from where charts are in the world to their paths on the chart
// server.
var rewrites = []struct{ from, path string }{
	{"https://argoproj.github.io/argo-helm", "/argo-helm"},
	{"https://prometheus-community.github.io/helm-charts", "/prometheus-community"},
	{"https://istio-release.storage.googleapis.com/charts", "/istio"},
	{"https://fluxcd-community.github.io/helm-charts", "/fluxcd-community"},
	{"https://github.com/fluxcd/flux2/releases/download", "/flux2"},
	// The charts of the tests: a name that the world does not have.
	{"https://charts.example.com/test", "/test"},
}

// Rewrite is an entry of a rewrite table: a prefix and what replaces it.
type Rewrite struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// startCharts starts the chart server and writes the table that leads to it.
func (b *Bed) startCharts() error {
	signer, err := chartserver.NewSigner("bed")
	if err != nil {
		return err
	}
	server, err := chartserver.New(chartserver.Options{Username: ChartsUsername, Password: ChartsPassword, Token: ChartsToken, Signer: signer})
	if err != nil {
		return fmt.Errorf("packaging the charts: %w", err)
	}
	address, err := b.listenAddress()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address.String())
	if err != nil {
		return fmt.Errorf("listening for the chart server: %w", err)
	}
	b.Charts = &Charts{
		URL:    "http://" + address.String(),
		Signer: signer,
		Server: server,
		http:   &http.Server{Handler: server, ReadHeaderTimeout: 30 * time.Second},
	}
	b.background.Go(func() { _ = b.Charts.http.Serve(listener) }) // Ends with close.
	if err := b.startSecureCharts(); err != nil {
		return err
	}
	b.RewritesFile = filepath.Join(b.Dir, "rewrites.yaml")
	var table struct {
		Rewrites []Rewrite `json:"rewrites"`
	}
	table.Rewrites = b.Charts.Rewrites()
	content, err := yaml.Marshal(table)
	if err != nil {
		return err
	}
	return os.WriteFile(b.RewritesFile, content, 0o600)
}

// startSecureCharts has the chart server listen with TLS as well.
func (b *Bed) startSecureCharts() error {
	authority, err := pki.NewAuthority("charts-" + b.Name)
	if err != nil {
		return err
	}
	serving, err := authority.Server(loopback, "localhost")
	if err != nil {
		return err
	}
	client, err := authority.Client("charts")
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(serving.Cert, serving.Key)
	if err != nil {
		return fmt.Errorf("reading the certificate of the chart server: %w", err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(authority.Cert)
	address, err := b.listenAddress()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address.String())
	if err != nil {
		return fmt.Errorf("listening for the chart server: %w", err)
	}
	c := b.Charts
	c.SecureURL, c.CA, c.ClientCert, c.ClientKey = "https://"+address.String(), authority.Cert, client.Cert, client.Key
	c.https = &http.Server{
		Handler:           c.Server,
		ReadHeaderTimeout: 30 * time.Second,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clients},
		// Clients that do not trust it are part of the tests.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	b.background.Go(func() { _ = c.https.ServeTLS(listener, "", "") }) // Ends with close.
	return nil
}

// Rewrites is the table in RewritesFile, to be extended by a test.
func (c *Charts) Rewrites() []Rewrite {
	table := make([]Rewrite, 0, len(rewrites))
	for _, r := range rewrites {
		table = append(table, Rewrite{From: r.from, To: c.URL + r.path})
	}
	// For what it leads to: KSIT may then be told to fetch from there, though it
	// is on loopback.
	return append(table, Rewrite{From: "https://secure.charts.example.com", To: c.SecureURL})
}

func (c *Charts) close() error {
	for _, server := range []*http.Server{c.http, c.https} {
		if server == nil {
			continue
		}
		if err := server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("stopping the chart server: %w", err)
		}
	}
	return nil
}
