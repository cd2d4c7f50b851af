// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// mirror is what a closed network has in the place of the internet: a web server
// of a directory, and a registry that keeps what helm push brings.
type mirror struct {
	*httptest.Server
	files http.Handler

	mu sync.Mutex
	// stored is by path: blobs and manifests.
	stored map[string]content
	asked  []string
}

type content struct {
	mediaType string
	data      []byte
}

func startMirror(t *testing.T, cert tls.Certificate, dir string) *mirror {
	t.Helper()
	m := &mirror{files: http.FileServer(http.Dir(dir)), stored: map[string]content{}}
	m.Server = serveTLS(t, cert, m)
	return m
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		m.mu.Lock()
		m.asked = append(m.asked, r.URL.Path)
		m.mu.Unlock()
	}
	if !strings.HasPrefix(r.URL.Path, "/v2/") {
		m.files.ServeHTTP(w, r)
		return
	}
	m.serveRegistry(w, r)
}

// serveRegistry is the part of the OCI distribution API that pushing and pulling
// a chart takes.
func (m *mirror) serveRegistry(w http.ResponseWriter, r *http.Request) {
	repository, upload := strings.CutSuffix(r.URL.Path, "/blobs/uploads/")
	switch {
	case r.URL.Path == "/v2/":
		w.WriteHeader(http.StatusOK)
	case r.Method == http.MethodPost && upload:
		w.Header().Set("Location", r.URL.Path+"1")
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodPut:
		m.put(w, r)
	default:
		m.mu.Lock()
		found, ok := m.stored[r.URL.Path]
		m.mu.Unlock()
		if !ok {
			http.Error(w, `{"errors":[{"code":"NAME_UNKNOWN","message":"`+repository+`"}]}`, http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", found.mediaType)
		w.Header().Set("Docker-Content-Digest", digest(found.data))
		w.Header().Set("Content-Length", fmt.Sprint(len(found.data)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(found.data)
		}
	}
}

// put keeps a blob, or a manifest under its tag and its digest.
func (m *mirror) put(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(io.LimitReader(r.Body, 32<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if repository, _, isBlob := strings.Cut(r.URL.Path, "/blobs/uploads/"); isBlob {
		m.stored[repository+"/blobs/"+digest(data)] = content{"application/octet-stream", data}
	} else {
		manifest := content{r.Header.Get("Content-Type"), data}
		m.stored[r.URL.Path] = manifest
		m.stored[r.URL.Path[:strings.LastIndexByte(r.URL.Path, '/')+1]+digest(data)] = manifest
	}
	w.Header().Set("Location", r.URL.Path)
	w.Header().Set("Docker-Content-Digest", digest(data))
	w.WriteHeader(http.StatusCreated)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// wasAsked tells whether a path was fetched from the mirror.
func (m *mirror) wasAsked(path string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Contains(m.asked, path)
}
