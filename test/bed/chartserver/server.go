// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chartserver serves the bed's charts the ways that charts are
// served in the world: as HTTP repositories, as OCI artifacts, and, for what
// is installed without Helm, as plain manifests.
//
//	/REPOSITORY/index.yaml, /REPOSITORY/CHART-VERSION.tgz
//	/v2/REPOSITORY/CHART/…             the same as OCI artifacts
//	/private/REPOSITORY/…, /v2/private/REPOSITORY/…
//	                                   the same behind basic authentication
//	/token/REPOSITORY/…, /v2/token/REPOSITORY/…
//	                                   the same behind a bearer token, which /auth gives to users
//	/mutual/REPOSITORY/…, /v2/mutual/REPOSITORY/…
//	                                   the same for those with a client certificate
//	/released/REPOSITORY/index.yaml    an index whose archives lie elsewhere, see Options.ReleasedAt
//	/flux2/v2.2.3/install.yaml         plain manifests
//
// It signs charts where Options.Signer is given, counts requests and can be told
// to misbehave.
package chartserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"ksit.io/ksit/test/bed/charts"
)

// Options shape a Server; the zero value serves everything.
type Options struct {
	// Charts are the sources; those of the charts package if nil.
	Charts fs.FS
	// Repositories limits what is packaged; all if empty.
	Repositories []string
	// Username and Password guard what is served below /private and
	// /v2/private, which is not found if they are empty.
	Username, Password string
	// Token guards what is served below /token and /v2/token, which is not found
	// if it is empty.
	Token string
	// Signer signs all charts: with provenance files beside the archives and in
	// the artifacts, and with signatures of cosign. Nothing is signed if it is nil.
	Signer *Signer
	// ReleasedAt is the address prefix of the archives in the indexes below
	// /released, for repositories that keep index and archives apart, as
	// those on GitHub Pages do; REPOSITORY/FILE follows it.
	ReleasedAt string
}

// Server is an http.Handler.
type Server struct {
	username, password, token string
	signer                    *Signer
	releasedAt                string

	mu           sync.Mutex
	repositories map[string]*repository
	documents    map[string]document // by path
	requests     map[string]int
	unchanged    map[string]int
	faults       []*activeFault
}

// document is something served as it stands.
type document struct {
	contentType string
	data        []byte
	etag        string
}

func newDocument(contentType string, data []byte) document {
	return document{contentType: contentType, data: data, etag: `"` + digestOf(data) + `"`}
}

// New packages the charts and returns the server of them.
func New(options Options) (*Server, error) {
	fsys := options.Charts
	if fsys == nil {
		fsys = charts.FS()
	}
	repositories, err := readRepositories(fsys, options.Repositories)
	if err != nil {
		return nil, err
	}
	s := &Server{
		username:     options.Username,
		password:     options.Password,
		token:        options.Token,
		signer:       options.Signer,
		releasedAt:   strings.TrimSuffix(options.ReleasedAt, "/"),
		repositories: repositories,
		documents:    map[string]document{},
		requests:     map[string]int{},
		unchanged:    map[string]int{},
	}
	if _, err := fs.Stat(fsys, manifestsDir); err == nil && len(options.Repositories) == 0 {
		manifests, err := readManifests(fsys)
		if err != nil {
			return nil, err
		}
		for target, data := range manifests {
			s.documents[target] = newDocument("application/yaml", data)
		}
	}
	for name := range repositories {
		if err := s.publish(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Publish adds a version of a chart, made of the newest that there is, as
// someone who maintains the repository would.
func (s *Server) Publish(repository, chart, version, appVersion string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repositories[repository]
	if r == nil || r.sources[chart] == nil {
		return fmt.Errorf("publishing %s %s: no such chart in repository %q", chart, version, repository)
	}
	a, err := r.sources[chart].pack(version, appVersion)
	if err != nil {
		return err
	}
	r.add(a)
	return s.publish(repository)
}

// publish makes the documents of a repository.
func (s *Server) publish(name string) error {
	r := s.repositories[name]
	index, err := r.index("")
	if err != nil {
		return err
	}
	s.documents[path.Join("/", name, "index.yaml")] = newDocument("application/yaml", index)
	if s.releasedAt != "" {
		if index, err = r.index(s.releasedAt + "/" + name + "/"); err != nil {
			return err
		}
		s.documents[path.Join("/released", name, "index.yaml")] = newDocument("application/yaml", index)
	}
	for _, versions := range r.archives {
		for _, a := range versions {
			s.documents[path.Join("/", name, a.file())] = newDocument("application/gzip", a.data)
			if err := s.sign(a); err != nil {
				return err
			}
		}
		if err := s.publishArtifacts(versions); err != nil {
			return err
		}
	}
	return nil
}

// sign makes the provenance file of an archive, once.
func (s *Server) sign(a *archive) error {
	if s.signer == nil {
		return nil
	}
	if a.provenance == nil {
		var err error
		if a.provenance, err = s.signer.provenance(a); err != nil {
			return fmt.Errorf("signing %s %s: %w", a.name, a.version, err)
		}
	}
	s.documents[path.Join("/", a.repository, a.file()+".prov")] = newDocument("application/pgp-signature", a.provenance)
	return nil
}

// Provenance returns the provenance file of a packaged chart; nil where charts
// are not signed.
func (s *Server) Provenance(repository, chart, version string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.repositories[repository]; r != nil {
		if a := r.find(chart, version); a != nil {
			return a.provenance
		}
	}
	return nil
}

// Archive returns a packaged chart, for a directory of local archives.
func (s *Server) Archive(repository, chart, version string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.repositories[repository]; r != nil {
		if a := r.find(chart, version); a != nil {
			return a.data, nil
		}
	}
	return nil, fmt.Errorf("no chart %s %s in repository %q", chart, version, repository)
}

// Paths lists what is served, for humans.
func (s *Server) Paths() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.documents)), func(name string) bool {
		return strings.HasPrefix(name, artifactsPrefix) && !strings.HasSuffix(name, "/tags/list")
	})
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.count(r.URL.Path)
	if f := s.fault(r.URL.Path); f != nil && f.serve(w, r) {
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "read only", http.StatusMethodNotAllowed)
		return
	}
	name, by := public(r.URL.Path)
	if !s.admits(by, w, r) {
		return
	}
	switch name {
	case tokenPath:
		s.serveToken(w, r)
		return
	case "/":
		s.serveListing(w)
		return
	case artifactsPrefix:
		writeJSON(w, map[string]any{})
		return
	}
	s.mu.Lock()
	doc, ok := s.documents[name]
	s.mu.Unlock()
	if !ok {
		notFound(w, r)
		return
	}
	w.Header().Set("Content-Type", doc.contentType)
	w.Header().Set("ETag", doc.etag)
	if strings.HasPrefix(name, artifactsPrefix) {
		w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Trim(doc.etag, `"`))
	}
	answer := &statusWriter{ResponseWriter: w}
	http.ServeContent(answer, r, "", released(), bytes.NewReader(doc.data))
	s.countUnchanged(r.URL.Path, answer.status)
}

func (s *Server) serveListing(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, name := range s.Paths() {
		fmt.Fprintln(w, name)
	}
}

func notFound(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, artifactsPrefix) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintln(w, `{"errors":[{"code":"NAME_UNKNOWN","message":"no such artifact"}]}`)
		return
	}
	http.NotFound(w, r)
}

func writeJSON(w http.ResponseWriter, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(data)
}
