// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/rewrite"
)

// ociServer is as much of a registry as a client that pulls sees.
type ociServer struct {
	*httptest.Server
	// blobs and manifests are by digest, tags by repository and tag.
	blobs, manifests map[string][]byte
	tags             map[string]map[string]string
	listed           int
	// guard answers those whom it does not let in; nil lets in everybody.
	guard func(w http.ResponseWriter, r *http.Request) bool
}

func serveOCI(t *testing.T) *ociServer {
	t.Helper()
	s := newOCIServer()
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func newOCIServer() *ociServer {
	return &ociServer{blobs: map[string][]byte{}, manifests: map[string][]byte{}, tags: map[string]map[string]string{}}
}

func serveTLSOCI(t *testing.T) *ociServer {
	t.Helper()
	s := newOCIServer()
	s.Server = httptest.NewTLSServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

// push publishes an archive, and more layers, and returns the digest of its
// manifest.
func (s *ociServer) push(t *testing.T, repository, tag string, archive []byte, mediaType string, more ...any) string {
	t.Helper()
	return s.pushManifest(t, repository, tag, append([]any{s.layer(mediaType, archive, nil)}, more...)...)
}

func (s *ociServer) layer(mediaType string, data []byte, annotations map[string]string) any {
	digest := "sha256:" + sha256Hex(data)
	s.blobs[digest] = data
	return map[string]any{"mediaType": mediaType, "digest": digest, "size": len(data), "annotations": annotations}
}

func (s *ociServer) pushManifest(t *testing.T, repository, tag string, layers ...any) string {
	t.Helper()
	return s.pushJSON(t, repository, tag, map[string]any{
		"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest,
		"config": s.layer("application/vnd.cncf.helm.config.v1+json", []byte("{}"), nil),
		"layers": layers,
	})
}

func (s *ociServer) pushJSON(t *testing.T, repository, tag string, content any) string {
	t.Helper()
	manifest, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	digest := "sha256:" + sha256Hex(manifest)
	s.manifests[digest] = manifest
	if s.tags[repository] == nil {
		s.tags[repository] = map[string]string{}
	}
	s.tags[repository][tag] = digest
	return digest
}

func (s *ociServer) serve(w http.ResponseWriter, r *http.Request) {
	if s.guard != nil && !s.guard(w, r) {
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	if strings.HasPrefix(path, "private/") {
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if repository, ok := strings.CutSuffix(path, "/tags/list"); ok {
		s.listed++
		tags := []string{}
		for tag := range s.tags[repository] {
			tags = append(tags, tag)
		}
		if len(tags) == 0 {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"name": repository, "tags": tags})
		return
	}
	if repository, reference, ok := strings.Cut(path, "/manifests/"); ok {
		digest := reference
		if d, ok := s.tags[repository][reference]; ok {
			digest = d
		}
		if manifest, ok := s.manifests[digest]; ok {
			var content struct{ MediaType string }
			_ = json.Unmarshal(manifest, &content)
			w.Header().Set("Content-Type", content.MediaType)
			w.Header().Set("Docker-Content-Digest", digest)
			_, _ = w.Write(manifest)
			return
		}
	}
	if _, digest, ok := strings.Cut(path, "/blobs/"); ok {
		if blob, ok := s.blobs[digest]; ok {
			_, _ = w.Write(blob)
			return
		}
	}
	http.NotFound(w, r)
}

func TestOCI(t *testing.T) {
	server := serveOCI(t)
	host := strings.TrimPrefix(server.URL, "http://")
	for _, v := range []string{"1.0.0", "1.1.0_build", "v2.0.0", "latest"} {
		server.push(t, "charts/web", v, packChart(t, "web", "1.0.0", nil), chartMediaTypes[0])
	}
	server.push(t, "charts/image", "1.0.0", []byte("x"), "application/vnd.oci.image.layer.v1.tar+gzip")
	server.push(t, "charts/forged", "1.0.0", []byte("abc"), chartMediaTypes[0])
	server.blobs["sha256:"+sha256Hex([]byte("abc"))] = []byte("abd")

	s := newSources(t, Options{CacheDir: t.TempDir(), AllowLocalSources: true}, fetch.Options{AllowLocal: true})
	base := "oci://" + host + "/charts"
	for want, version := range map[string]string{"1.0.0": "1.0.0", "1.1.0+build": "1.1.0+build", "~1": "1.1.0+build", "2.0.0": "v2.0.0", "": "v2.0.0"} {
		found, err := s.get(t.Context(), reference(t, base, "web", want))
		if err != nil || found.version != version {
			t.Errorf("%q: %s, %v", want, found.version, err)
			continue
		}
		if _, err := loadChart(found.data, "web"); err != nil {
			t.Errorf("%q: %v", want, err)
		}
	}
	server.listed = 0
	if _, err := s.get(t.Context(), reference(t, base, "web", "1.0.0")); err != nil || server.listed != 0 {
		t.Errorf("an exact version: %v, %d lists of tags", err, server.listed)
	}
	for name, test := range map[string]struct {
		repository, chart, version string
		reason                     installer.Reason
		terminal                   bool
		says                       string
	}{
		"no such version": {base, "web", "9.9.9", installer.ReasonChartNotFound, false, "v2.0.0, 1.1.0+build, 1.0.0"},
		"no such chart":   {base, "none", "1.0.0", installer.ReasonChartNotFound, false, "none"},
		"not a chart":     {base, "image", "1.0.0", installer.ReasonChartInvalid, true, "not a chart"},
		"forged":          {base, "forged", "1.0.0", installer.ReasonDigestMismatch, false, "digest"},
		"private":         {"oci://" + host + "/private", "web", "1.0.0", installer.ReasonRepositoryUnreachable, false, "KSIT has none"},
		"a bad name":      {"oci://" + host + "/UPPER", "web", "1.0.0", installer.ReasonRepositoryUnreachable, true, "name"},
		"nobody there":    {"oci://127.0.0.1:1/charts", "web", "1.0.0", installer.ReasonRepositoryUnreachable, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.get(t.Context(), reference(t, test.repository, test.chart, test.version))
			wantReason(t, err, test.reason, test.terminal, test.says)
		})
	}
	t.Run("refused", func(t *testing.T) {
		_, err := newSources(t, Options{}, fetch.Options{}).get(t.Context(), reference(t, base, "web", "1.0.0"))
		wantReason(t, err, installer.ReasonRepositoryUnreachable, true)
	})
	for _, from := range []string{"oci://registry.example.com/x", "https://charts.example.com"} {
		t.Run("rewritten from "+from, func(t *testing.T) {
			to := server.URL + "/charts"
			if !strings.HasPrefix(from, "oci:") {
				to = base
			}
			table, err := rewrite.New([]rewrite.Rule{{From: from, To: to}})
			if err != nil {
				t.Fatal(err)
			}
			// Without AllowLocalSources, oci:// on loopback is TLS like any other.
			s := newSources(t, Options{Rewrites: table, AllowLocalSources: to == base}, fetch.Options{})
			found, err := s.get(t.Context(), reference(t, from, "web", "1.0.0"))
			if err != nil || found.version != "1.0.0" {
				t.Error(found.version, err)
			}
			_, err = s.get(t.Context(), reference(t, from, "none", "1.0.0"))
			wantReason(t, err, installer.ReasonChartNotFound, false, from+"/none (rewritten to "+to+"/none)")
		})
	}
	t.Run("allowed sources", func(t *testing.T) {
		token := serveCharts(t)
		server.push(t, "guarded/web", "1.0.0", packChart(t, "web", "1.0.0", nil), chartMediaTypes[0])
		server.guard = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.URL.Path, "/v2/guarded/") {
				return true
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+token.URL+`/token",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return false
		}
		defer func() { server.guard = nil }()
		list, err := fetch.ParseAllowedSources([]string{base, "oci://" + host + "/guarded"})
		if err != nil {
			t.Fatal(err)
		}
		s := newSources(t, Options{AllowLocalSources: true}, fetch.Options{AllowLocal: true, Allowed: list})
		if found, err := s.get(t.Context(), reference(t, base, "web", "1.0.0")); err != nil || found.version != "1.0.0" {
			t.Error(found.version, err)
		}
		for _, repository := range []string{"oci://" + host + "/other", "oci://" + host, "oci://" + host + "/guarded"} {
			_, err := s.get(t.Context(), reference(t, repository, "web", "1.0.0"))
			wantReason(t, err, installer.ReasonSourceRefused, true, "--allowed-sources")
		}
	})
	t.Run("from an index", func(t *testing.T) {
		repo := serveCharts(t)
		repo.index["web"] = []string{"  - name: web\n    version: 1.0.0\n    urls: [\"" + base + "/web:1.0.0\"]\n"}
		found, err := s.get(t.Context(), reference(t, repo.URL, "web", "1.0.0"))
		if err != nil || found.version != "1.0.0" {
			t.Error(found.version, err)
		}
	})
}

// FuzzOCIReference makes sure that a repository is looked for at the host that
// its URL names.
func FuzzOCIReference(f *testing.F) {
	for _, seed := range []string{"oci://ghcr.io/argoproj/argo-helm/argo-cd", "oci://docker.io/library/x", "oci://localhost:5000/x", "oci://a/b@sha256:0", "oci://a@b/c", "oci://[::1]/x", "oci://a/../b"} {
		f.Add(seed)
	}
	client, err := fetch.NewClient(fetch.Options{})
	if err != nil {
		f.Fatal(err)
	}
	o := &ociRegistry{fetch: client}
	f.Fuzz(func(t *testing.T, location string) {
		r, err := o.open(location, chartRef{repository: location, chart: "x"})
		if err != nil {
			if !installer.IsTerminal(err) {
				t.Errorf("error %v is not terminal", err)
			}
			return
		}
		u, err := url.Parse(location)
		if err != nil {
			t.Fatalf("opened, but no URL: %v", err)
		}
		if host := r.Reference.Host(); host != u.Host && (u.Host != "docker.io" || host != "registry-1.docker.io") {
			t.Errorf("%q is at %q", location, host)
		}
	})
}
