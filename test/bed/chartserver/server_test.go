// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package chartserver_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"ksit.io/ksit/test/bed/chartserver"
)

// serve starts a server of the charts for tests, or of what options say.
func serve(t *testing.T, options chartserver.Options) (*chartserver.Server, string) {
	t.Helper()
	server, err := chartserver.New(options)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(server)
	t.Cleanup(front.Close)
	return server, front.URL
}

func tests() chartserver.Options { return chartserver.Options{Repositories: []string{"test"}} }

// get asks for a URL, with headers given as name and value in turn.
func get(t *testing.T, url string, header ...string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}

type index struct {
	Entries map[string][]entry
}

type entry struct {
	Name, Version, Digest string
	URLs                  []string
}

func readIndex(t *testing.T, url string) index {
	t.Helper()
	response, body := get(t, url)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, response.Status)
	}
	var out index
	if err := yaml.Unmarshal(body, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEverythingIsServed walks every repository as a client would: from the
// index to the archives, whose digests and contents must be what is claimed.
func TestEverythingIsServed(t *testing.T) {
	_, url := serve(t, chartserver.Options{})
	want := map[string]map[string]string{
		"argo-helm":            {"argo-cd": "5.51.6"},
		"prometheus-community": {"kube-prometheus-stack": "55.5.0"},
		"istio":                {"base": "1.20.2", "istiod": "1.20.2"},
		"fluxcd-community":     {"flux2": "2.12.4"},
		"test":                 {"podinfo-lite": "1.1.0", "crd-then-cr": "2.0.0", "big": "1.0.0"},
	}
	for repository, charts := range want {
		index := readIndex(t, url+"/"+repository+"/index.yaml")
		for chart, version := range charts {
			if !slices.ContainsFunc(index.Entries[chart], func(e entry) bool { return e.Version == version }) {
				t.Errorf("%s has no %s %s", repository, chart, version)
			}
		}
		for chart, versions := range index.Entries {
			for _, entry := range versions {
				_, data := get(t, url+"/"+repository+"/"+entry.URLs[0])
				sum := sha256.Sum256(data)
				if digest := hex.EncodeToString(sum[:]); digest != entry.Digest {
					t.Errorf("%s %s: digest %s, the index says %s", chart, entry.Version, digest, entry.Digest)
				}
				checkArchive(t, data, entry.Name, entry.Version)
			}
		}
	}
}

func checkArchive(t *testing.T, data []byte, name, version string) {
	t.Helper()
	files := unpack(t, data)
	var chart struct{ Name, Version string }
	if err := yaml.Unmarshal(files[name+"/Chart.yaml"], &chart); err != nil {
		t.Fatal(err)
	}
	if chart.Name != name || chart.Version != version {
		t.Errorf("archive of %s %s says it is %s %s", name, version, chart.Name, chart.Version)
	}
	for file := range files {
		if strings.HasSuffix(file, ".recipe.yaml") || strings.HasSuffix(file, "/versions.yaml") {
			t.Errorf("archive of %s %s holds the source file %s", name, version, file)
		}
	}
}

func unpack(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	raw, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	archive := tar.NewReader(raw)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = content
	}
}

func TestPackagingIsReproducible(t *testing.T) {
	var digests []string
	for range 2 {
		server, err := chartserver.New(chartserver.Options{Repositories: []string{"argo-helm"}})
		if err != nil {
			t.Fatal(err)
		}
		data, err := server.Archive("argo-helm", "argo-cd", "5.51.6")
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		digests = append(digests, hex.EncodeToString(sum[:]))
	}
	if digests[0] != digests[1] {
		t.Errorf("two packagings gave %s and %s", digests[0], digests[1])
	}
}

func TestConditionalRequests(t *testing.T) {
	server, url := serve(t, tests())
	const path = "/test/index.yaml"
	response, _ := get(t, url+path)
	etag := response.Header.Get("ETag")
	if etag == "" {
		t.Fatal("no ETag")
	}
	response, body := get(t, url+path, "If-None-Match", etag)
	if response.StatusCode != http.StatusNotModified || len(body) != 0 {
		t.Errorf("unchanged index: %s with %d bytes", response.Status, len(body))
	}
	if err := server.Publish("test", "podinfo-lite", "3.0.0", "3.0.0"); err != nil {
		t.Fatal(err)
	}
	response, body = get(t, url+path, "If-None-Match", etag)
	if response.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("podinfo-lite-3.0.0.tgz")) {
		t.Errorf("index after publishing: %s, without the new version", response.Status)
	}
	if response, _ = get(t, url+"/test/podinfo-lite-3.0.0.tgz"); response.StatusCode != http.StatusOK {
		t.Errorf("archive after publishing: %s", response.Status)
	}
	if n := server.Requests(path); n != 3 {
		t.Errorf("%d requests for the index were counted, not 3", n)
	}
	if n := server.Unchanged(path); n != 1 {
		t.Errorf("%d answers that the index has not changed were counted, not 1", n)
	}
}

func TestArtifacts(t *testing.T) {
	server, url := serve(t, tests())
	if response, _ := get(t, url+"/v2/"); response.StatusCode != http.StatusOK {
		t.Errorf("/v2/: %s", response.Status)
	}
	_, body := get(t, url+"/v2/test/podinfo-lite/tags/list")
	var tags struct{ Tags []string }
	if err := json.Unmarshal(body, &tags); err != nil {
		t.Fatal(err)
	}
	if want := []string{"1.0.0", "1.1.0", "2.0.0", "2.1.0-rc.1"}; !slices.Equal(tags.Tags, want) {
		t.Errorf("tags are %v, not %v", tags.Tags, want)
	}
	response, body := get(t, url+"/v2/test/podinfo-lite/manifests/1.1.0")
	if got := response.Header.Get("Content-Type"); got != "application/vnd.oci.image.manifest.v1+json" {
		t.Errorf("content type of the manifest is %q", got)
	}
	digest := response.Header.Get("Docker-Content-Digest")
	if _, again := get(t, url+"/v2/test/podinfo-lite/manifests/"+digest); !bytes.Equal(body, again) {
		t.Error("the manifest by its digest is another than by its tag")
	}
	var manifest struct {
		Config struct{ MediaType, Digest string }
		Layers []struct{ MediaType, Digest string }
	}
	if err := json.Unmarshal(body, &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Config.MediaType != "application/vnd.cncf.helm.config.v1+json" || len(manifest.Layers) != 1 ||
		manifest.Layers[0].MediaType != "application/vnd.cncf.helm.chart.content.v1.tar+gzip" {
		t.Fatalf("the manifest is not a chart's: %s", body)
	}
	_, blob := get(t, url+"/v2/test/podinfo-lite/blobs/"+manifest.Layers[0].Digest)
	archive, err := server.Archive("test", "podinfo-lite", "1.1.0")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(blob, archive) {
		t.Error("the artifact holds another archive than the repository")
	}
	response, body = get(t, url+"/v2/test/no-such-chart/tags/list")
	if response.StatusCode != http.StatusNotFound || !json.Valid(body) {
		t.Errorf("a chart that is not there: %s, %s", response.Status, body)
	}
}

func TestPrivate(t *testing.T) {
	options := tests()
	options.Username, options.Password = "somebody", "secret"
	_, url := serve(t, options)
	open := "Basic c29tZWJvZHk6c2VjcmV0"
	for _, path := range []string{"/private/test/index.yaml", "/v2/private/test/podinfo-lite/tags/list"} {
		response, _ := get(t, url+path)
		if response.StatusCode != http.StatusUnauthorized || response.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s without credentials: %s", path, response.Status)
		}
		if response, _ = get(t, url+path, "Authorization", open); response.StatusCode != http.StatusOK {
			t.Errorf("%s with credentials: %s", path, response.Status)
		}
	}
}

func TestReleasedElsewhere(t *testing.T) {
	options := tests()
	options.ReleasedAt = "https://example.com/releases/"
	_, url := serve(t, options)
	entry := readIndex(t, url+"/released/test/index.yaml").Entries["big"][0]
	if want := "https://example.com/releases/test/big-1.0.0.tgz"; entry.URLs[0] != want {
		t.Errorf("archive is at %s, not %s", entry.URLs[0], want)
	}
}

func TestManifests(t *testing.T) {
	_, url := serve(t, chartserver.Options{})
	response, body := get(t, url+"/flux2/v2.2.3/install.yaml")
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	kinds := map[string]int{}
	var order []string
	for _, document := range strings.Split(string(body), "\n---\n") {
		var object struct{ Kind string }
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatalf("%v in %s", err, document)
		}
		kinds[object.Kind]++
		order = append(order, object.Kind)
	}
	for kind, want := range map[string]int{"Namespace": 1, "CustomResourceDefinition": 13, "Deployment": 6, "": 0} {
		if kinds[kind] != want {
			t.Errorf("%d objects of kind %q, not %d", kinds[kind], kind, want)
		}
	}
	// What makes this manifest a test of staging: definitions come after the
	// first Deployment.
	first := slices.Index(order, "Deployment")
	if !slices.Contains(order[first:], "CustomResourceDefinition") {
		t.Error("all definitions come before the Deployments")
	}
}

func TestFaults(t *testing.T) {
	const path = "/test/index.yaml"
	server, url := serve(t, tests())

	server.SetFault("/test", chartserver.Fault{Status: http.StatusServiceUnavailable, Body: []byte("later"), Times: 1,
		Header: http.Header{"Retry-After": {"1"}}})
	response, body := get(t, url+path)
	if response.StatusCode != http.StatusServiceUnavailable || string(body) != "later" || response.Header.Get("Retry-After") != "1" {
		t.Errorf("fault: %s %q", response.Status, body)
	}
	if response, _ = get(t, url+path); response.StatusCode != http.StatusOK {
		t.Errorf("after the fault's only time: %s", response.Status)
	}

	server.SetFault("/", chartserver.Fault{Status: http.StatusTeapot})
	server.SetFault(path, chartserver.Fault{Delay: 50 * time.Millisecond})
	begin := time.Now()
	if response, _ = get(t, url+path); response.StatusCode != http.StatusOK || time.Since(begin) < 50*time.Millisecond {
		t.Errorf("the longer prefix must count: %s after %s", response.Status, time.Since(begin))
	}
	server.ClearFault(path)
	if response, _ = get(t, url+path); response.StatusCode != http.StatusTeapot {
		t.Errorf("the shorter prefix must still count: %s", response.Status)
	}
	server.ClearFaults()

	server.SetFault(path, chartserver.Fault{Truncate: true})
	response, err := http.Get(url + path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(response.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("reading a broken answer gave %v", err)
	}
	response.Body.Close()

	server.SetFault(path, chartserver.Fault{Endless: true})
	response, err = http.Get(url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if n, err := io.CopyN(io.Discard, response.Body, 16<<20); err != nil {
		t.Errorf("an endless body ended after %d bytes: %v", n, err)
	}
}

func TestReadOnly(t *testing.T) {
	_, url := serve(t, tests())
	response, err := http.Post(url+"/test/index.yaml", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", response.Status)
	}
}
