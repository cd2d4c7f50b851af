// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package chartserver

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
)

// guard is a way to ask who somebody is, for all below a path.
type guard string

const (
	open guard = ""
	// private asks for a name and a password.
	private guard = "private"
	// token asks for a bearer token; for artifacts it names the service below
	// tokenPath that gives one for a name and a password.
	token guard = "token"
	// mutual asks for a client certificate that the listener has verified.
	mutual guard = "mutual"
)

const tokenPath = "/auth"

// public returns the path that the requested one stands for, and what guards it.
func public(requested string) (name string, by guard) {
	for _, by := range []guard{private, token, mutual} {
		if rest, ok := strings.CutPrefix(requested, "/"+string(by)+"/"); ok {
			return "/" + rest, by
		}
		if rest, ok := strings.CutPrefix(requested, artifactsPrefix+string(by)+"/"); ok {
			return artifactsPrefix + rest, by
		}
	}
	return requested, open
}

// admits answers the request where the guard does not let it through.
func (s *Server) admits(by guard, w http.ResponseWriter, r *http.Request) bool {
	if (by == private && s.username == "") || (by == token && s.token == "") {
		notFound(w, r)
		return false
	}
	challenge := ""
	switch by {
	case private:
		if s.isUser(r) {
			return true
		}
		challenge = `Basic realm="charts"`
	case token:
		if same(r.Header.Get("Authorization"), "Bearer "+s.token) {
			return true
		}
		challenge = `Bearer realm="charts"`
		if strings.HasPrefix(r.URL.Path, artifactsPrefix) {
			challenge = fmt.Sprintf(`Bearer realm="%s://%s%s",service="charts",scope="repository:%s:pull"`, scheme(r), r.Host, tokenPath, repositoryIn(r.URL.Path))
		}
	case mutual:
		if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
			return true
		}
		http.Error(w, "a client certificate is needed", http.StatusForbidden)
		return false
	default:
		return true
	}
	w.Header().Set("WWW-Authenticate", challenge)
	http.Error(w, "wrong or missing credentials", http.StatusUnauthorized)
	return false
}

// serveToken is the service that gives tokens.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	if s.username == "" || s.token == "" {
		notFound(w, r)
		return
	}
	if !s.isUser(r) {
		http.Error(w, "wrong or missing credentials", http.StatusUnauthorized)
		return
	}
	writeJSON(w, map[string]any{"token": s.token, "expires_in": 300})
}

func (s *Server) isUser(r *http.Request) bool {
	username, password, _ := r.BasicAuth()
	return same(username, s.username) && same(password, s.password)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// repositoryIn returns the name of the repository in the path of an artifact.
func repositoryIn(requested string) string {
	name := strings.TrimPrefix(requested, artifactsPrefix)
	for _, part := range []string{"/manifests/", "/blobs/", "/tags/", "/referrers/"} {
		name, _, _ = strings.Cut(name, part)
	}
	return name
}
