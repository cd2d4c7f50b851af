// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/yaml"

	"ksit.io/ksit/test/bed/chartserver"
)

// Charts is the bed's chart server.
type Charts struct {
	// URL is where it listens, without a slash at the end.
	URL string
	// Server counts requests, misbehaves and publishes on demand.
	Server *chartserver.Server

	http *http.Server
}

// ChartsUsername and ChartsPassword open what the chart server serves under
// /private.
const (
	ChartsUsername = "bed"
	ChartsPassword = "correct-horse-battery-staple"
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
	server, err := chartserver.New(chartserver.Options{Username: ChartsUsername, Password: ChartsPassword})
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
		Server: server,
		http:   &http.Server{Handler: server, ReadHeaderTimeout: 30 * time.Second},
	}
	b.background.Go(func() { _ = b.Charts.http.Serve(listener) }) // Ends with close.
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

// Rewrites is the table in RewritesFile, to be extended by a test.
func (c *Charts) Rewrites() []Rewrite {
	table := make([]Rewrite, 0, len(rewrites))
	for _, r := range rewrites {
		table = append(table, Rewrite{From: r.from, To: c.URL + r.path})
	}
	return table
}

func (c *Charts) close() error {
	if err := c.http.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("stopping the chart server: %w", err)
	}
	return nil
}
