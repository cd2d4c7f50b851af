// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// files are those of a chart, by their path below its directory.
type files map[string]string

// packChart makes the archive of a chart.
func packChart(t testing.TB, name, version string, content files) []byte {
	t.Helper()
	content = maps.Clone(content)
	if content == nil {
		content = files{}
	}
	if _, ok := content["Chart.yaml"]; !ok {
		content["Chart.yaml"] = fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\nappVersion: app-%s\n", name, version, version)
	}
	var out bytes.Buffer
	zipper := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipper)
	for _, path := range slices.Sorted(maps.Keys(content)) {
		header := &tar.Header{Name: name + "/" + path, Mode: 0o644, Size: int64(len(content[path]))}
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(content[path])); err != nil {
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

// repository is a chart repository.
type repository struct {
	*httptest.Server
	// indexes, unchanged and archives count the answers.
	indexes, unchanged, archives atomic.Int32

	mu     sync.Mutex
	charts map[string][]byte // by file name
	index  map[string][]string
	broken bool
	// guard answers those whom it does not let in; nil lets in everybody.
	guard func(w http.ResponseWriter, r *http.Request) bool
}

func serveCharts(t testing.TB) *repository {
	t.Helper()
	r := &repository{charts: map[string][]byte{}, index: map[string][]string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

// add publishes a chart.
func (r *repository) add(t testing.TB, name, version string, content files) {
	t.Helper()
	r.addArchive(name, version, packChart(t, name, version, content), "")
}

func (r *repository) addArchive(name, version string, data []byte, digest string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if digest == "" {
		digest = sha256Hex(data)
	}
	file := name + "-" + version + ".tgz"
	r.charts[file] = data
	r.index[name] = append(r.index[name], fmt.Sprintf("  - apiVersion: v2\n    digest: %s\n    name: %s\n    urls:\n    - charts/%s\n    version: %q\n", digest, name, file, version))
}

func (r *repository) serve(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.guard != nil && !r.guard(w, request) {
		return
	}
	if r.broken {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if request.URL.Path == "/index.yaml" {
		var out strings.Builder
		out.WriteString("apiVersion: v1\nentries:\n")
		for _, name := range slices.Sorted(maps.Keys(r.index)) {
			out.WriteString("  " + name + ":\n" + strings.Join(r.index[name], ""))
		}
		out.WriteString("generated: \"2024-01-01T00:00:00Z\"\n")
		etag := `"` + sha256Hex([]byte(out.String())) + `"`
		w.Header().Set("ETag", etag)
		if request.Header.Get("If-None-Match") == etag {
			r.unchanged.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		r.indexes.Add(1)
		_, _ = w.Write([]byte(out.String()))
		return
	}
	data, ok := r.charts[strings.TrimPrefix(request.URL.Path, "/charts/")]
	if !ok {
		http.NotFound(w, request)
		return
	}
	r.archives.Add(1)
	_, _ = w.Write(data)
}

// put has a file served beside the archives.
func (r *repository) put(file string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.charts[file] = data
}

func (r *repository) setBroken(broken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = broken
}

// deployment is the template of a Deployment whose pods become ready.
const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas | default 1 }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
      {{- with .Values.podAnnotations }}
      annotations: {{ toYaml . | nindent 8 }}
      {{- end }}
    spec:
      containers: [{name: a, image: docker.io/library/a:1}]
`

const configMap = `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  color: {{ .Values.color | default "red" | quote }}
`

// crdOf is a CRD of group example.com.
func crdOf(kind, plural string) string {
	return fmt.Sprintf(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: %[2]s.example.com
spec:
  group: example.com
  names: {kind: %[1]s, listKind: %[1]sList, plural: %[2]s, singular: %[3]s}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        x-kubernetes-preserve-unknown-fields: true
`, kind, plural, strings.ToLower(kind))
}
