// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ksit.io/ksit/test/bed"
)

var label = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)

// sum adds up the samples of a metric that have the labels wanted, all of them
// where wanted is nil.
func sum(metrics, name string, wanted func(labels map[string]string) bool) float64 {
	total := 0.0
	for line := range strings.Lines(metrics) {
		rest, found := strings.CutPrefix(line, name)
		if !found || (rest[0] != '{' && rest[0] != ' ') {
			continue
		}
		labels := map[string]string{}
		for _, match := range label.FindAllStringSubmatch(rest, -1) {
			labels[match[1]] = match[2]
		}
		fields := strings.Fields(rest[strings.LastIndexByte(rest, '}')+1:])
		if len(fields) == 0 || (wanted != nil && !wanted(labels)) {
			continue
		}
		if value, err := strconv.ParseFloat(fields[0], 64); err == nil {
			total += value
		}
	}
	return total
}

// registerRelayed registers a target whose network the test can take away.
func registerRelayed(t testing.TB, ns, name string, target *bed.Cluster) *bed.Relay {
	t.Helper()
	relay, err := target.NewRelay()
	must(t, err)
	t.Cleanup(func() { must(t, relay.Pass()) })
	kubeconfig, err := relay.UserKubeconfig(name, "system:masters")
	must(t, err)
	registerContent(t, ns, name, kubeconfig)
	return relay
}

// registerContent is register with the content of a kubeconfig.
func registerContent(t testing.TB, ns, name string, kubeconfig []byte) {
	t.Helper()
	register(t, ns, name, inFile(t, kubeconfig))
}

func inFile(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, content, 0o600))
	return path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
