// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"testing"
	"testing/fstest"

	"ksit.io/ksit/test/bed"
	"ksit.io/ksit/test/bed/chartserver"
	"ksit.io/ksit/test/e2e/tunnel"
)

const (
	// registry is the name of the registry in the guide.
	registry = "registry.example.com"
	// chartDir is the chart, which the registry has in version first, and once more
	// as second.
	chartDir = "../../../artifacts/charts/ksit"
	first    = "1.0.0"
	second   = "1.0.1"
	// repository is where the registry has the image. Nothing is pulled from there:
	// the node has it under that name.
	repository = "ksit/ksit-controller"
)

// world is where helm finds the registry: everything that it asks for beyond this
// machine goes through a proxy, and there is nothing else behind that.
type world struct {
	proxy string
	// ca is the file of the authority that signed the registry's certificate.
	ca string
}

// openRegistry publishes the chart.
func openRegistry(t *testing.T, b *bed.Bed) world {
	t.Helper()
	charts, err := published()
	if err != nil {
		t.Fatal(err)
	}
	server, err := chartserver.New(chartserver.Options{Charts: charts})
	if err != nil {
		t.Fatal(err)
	}
	files, err := b.ServingCert(registry)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewUnstartedServer(server)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != registry+":443" {
			http.Error(w, fmt.Sprintf("there is no %s in this world", r.Host), http.StatusForbidden)
			return
		}
		tunnel.Connect(w, secure.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	return world{proxy: proxy.URL, ca: files.CA}
}

// published is the chart as the chart server wants it: in a repository, with a list
// of its further versions.
func published() (fs.FS, error) {
	const dir = "ksit/ksit"
	files := fstest.MapFS{path.Join(dir, "versions.yaml"): {Data: fmt.Appendf(nil, "- {version: %[1]s, appVersion: %[1]s}\n", second)}}
	source := os.DirFS(chartDir)
	err := fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(source, name)
		files[path.Join(dir, name)] = &fstest.MapFile{Data: data}
		return err
	})
	return files, err
}

// environment is that of a helm who is out in the world.
func (w world) environment() []string {
	return append(os.Environ(),
		"HTTPS_PROXY="+w.proxy, "https_proxy="+w.proxy,
		// The host's API server.
		"NO_PROXY=127.0.0.1,198.18.0.0/15", "no_proxy=127.0.0.1,198.18.0.0/15",
		"SSL_CERT_FILE="+w.ca)
}
