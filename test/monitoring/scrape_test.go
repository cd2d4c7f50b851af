// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// scrapesVariable names the environment variable with the directory in which the
// end-to-end tests keep what they scraped of a real KSIT: make test sets it.
const scrapesVariable = "KSIT_SCRAPES"

// job is what the Service is called by which a Prometheus finds KSIT.
const job = "ksit-controller-manager"

// epoch is when the first scrape counts as made.
var epoch = time.Unix(1767225600, 0)

// scraped returns what a Prometheus would have that scraped a real KSIT: what
// the end-to-end tests saw, first and at the end, as if for some minutes. The
// second result is the time of the last scrape.
func scraped(t *testing.T) (*memory, time.Time) {
	t.Helper()
	dir := os.Getenv(scrapesVariable)
	if dir == "" {
		t.Skipf("%s is not set: run make test, whose end-to-end tests scrape a real KSIT", scrapesVariable)
	}
	var texts [][]byte
	for _, name := range []string{"server-1.prom", "server-2.prom"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatalf("%s: %v", scrapesVariable, err)
		}
		texts = append(texts, text)
	}
	series := newMemory()
	const scrapes = 6
	for n := range scrapes {
		text := texts[0]
		if n >= scrapes/2 {
			text = texts[1]
		}
		ingest(t, series, text, epoch.Add(time.Duration(n)*time.Minute))
	}
	return series, epoch.Add((scrapes - 1) * time.Minute)
}

// ingest adds what was scraped, as the ServiceMonitor has it done: with the
// labels of the target, which give way to those of the metrics (honorLabels).
func ingest(t *testing.T, into *memory, text []byte, at time.Time) {
	t.Helper()
	parser, err := textparse.New(text, "text/plain; version=0.0.4", labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	target := map[string]string{"job": job, "instance": "10.0.0.1:8443", "namespace": "ksit-system", "pod": "ksit-server-0", "service": job}
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("what was scraped cannot be read: %v", err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		var of labels.Labels
		parser.Labels(&of)
		_, _, value := parser.Series()
		builder := labels.NewBuilder(of)
		for name, given := range target {
			if !of.Has(name) {
				builder.Set(name, given)
			}
		}
		into.add(builder.Labels(), at, value)
	}
	into.add(labels.FromMap(with(target, labels.MetricName, "up")), at, 1)
}

func with(m map[string]string, name, value string) map[string]string {
	all := map[string]string{name: value}
	for name, value := range m {
		all[name] = value
	}
	return all
}
