// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/chartutil"
)

// TestMain is also the process that renders.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == Command {
		if err := Main(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// newRenderer returns one whose bounds are soon met. The timeout is not meant to
// be: machines are slow.
func newRenderer(t testing.TB) *Renderer {
	t.Helper()
	r, err := New(Options{MemoryBytes: 256 << 20, CPU: 3 * time.Second, Timeout: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// pack makes the archive of a chart called web.
func packed(t testing.TB, content map[string]string) []byte {
	t.Helper()
	content = maps.Clone(content)
	if _, ok := content["Chart.yaml"]; !ok {
		content["Chart.yaml"] = "apiVersion: v2\nname: web\nversion: 1.0.0\nappVersion: \"2\"\n"
	}
	var out bytes.Buffer
	zipper := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipper)
	for _, name := range slices.Sorted(maps.Keys(content)) {
		if err := archive.WriteHeader(&tar.Header{Name: "web/" + name, Mode: 0o644, Size: int64(len(content[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(content[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipper.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func request(t testing.TB, content map[string]string) Request {
	t.Helper()
	return Request{
		Archive:      packed(t, content),
		Values:       map[string]any{"password": "topsecret"},
		Release:      Release{Name: "web", Namespace: "shop", Revision: 1},
		Capabilities: chartutil.DefaultCapabilities,
	}
}

// template is a chart of one ConfigMap with a text in it.
func template(text string) map[string]string {
	return map[string]string{"templates/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: " + text + "\n"}
}
