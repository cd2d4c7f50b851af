// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/rewrite"
)

// withAccess returns a reference with the access to a server that is given.
func withAccess(ref chartRef, access *fetch.Access, server *httptest.Server) chartRef {
	if access == nil {
		return ref
	}
	own := *access
	if certificate := server.Certificate(); certificate != nil {
		own.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	}
	ref.access = &own
	return ref
}

// basic lets in those with a password, and keeps what they sent.
func basic(sent *[]string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		user, password, ok := r.BasicAuth()
		*sent = append(*sent, user+":"+password)
		if ok && user == "me" && password == "topsecret" {
			return true
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
		return false
	}
}

var (
	right = fetch.Access{Username: "me", Password: "topsecret"}
	wrong = fetch.Access{Username: "me", Password: "topsecrets"}
)

func TestPrivateRepository(t *testing.T) {
	var sent []string
	repo := serveCharts(t)
	repo.add(t, "web", "1.0.0", nil)
	repo.guard = basic(&sent)
	s := newSources(t, Options{CacheDir: t.TempDir()}, fetch.Options{AllowLocal: true})
	ref := reference(t, repo.URL, "web", "1.0.0")
	if found, err := s.get(t.Context(), withAccess(ref, &right, repo.Server)); err != nil || found.version != "1.0.0" {
		t.Fatal(found.version, err)
	}
	// The index is fresh and the archive is on disk, for one who may see them.
	for says, access := range map[string]*fetch.Access{"KSIT has none": nil, "does not accept": &wrong} {
		_, err := s.get(t.Context(), withAccess(ref, access, repo.Server))
		wantReason(t, err, installer.ReasonRepositoryUnreachable, false, says, "401")
		if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	before := repo.archives.Load()
	if _, err := s.get(t.Context(), withAccess(ref, &right, repo.Server)); err != nil || repo.archives.Load() != before {
		t.Errorf("it was fetched again: %v", err)
	}

	// Somebody else's index names the digest of the private chart.
	thief := serveCharts(t)
	thief.addArchive("web", "1.0.0", nil, sha256Hex(packChart(t, "web", "1.0.0", nil)))
	_, err := s.get(t.Context(), reference(t, thief.URL, "web", "1.0.0"))
	wantReason(t, err, installer.ReasonDigestMismatch, false)

	// An index may lead anywhere. The password does not go there.
	var there []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { basic(&there)(w, r) }))
	t.Cleanup(elsewhere.Close)
	repo.index["moved"] = []string{"  - name: moved\n    version: 1.0.0\n    urls: [\"" + elsewhere.URL + "/x.tgz\"]\n"}
	_, err = newSources(t, Options{}, fetch.Options{AllowLocal: true}).get(t.Context(), withAccess(reference(t, repo.URL, "moved", "1.0.0"), &right, repo.Server))
	wantReason(t, err, installer.ReasonRepositoryUnreachable, false, "was not sent")
	if !slices.Equal(there, []string{":"}) {
		t.Errorf("the other server was sent %q", there)
	}
}

func TestPrivateRegistry(t *testing.T) {
	type guard func(w http.ResponseWriter, r *http.Request) bool
	var sent []string
	realm := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if basic(&sent)(w, r) {
			_ = json.NewEncoder(w).Encode(map[string]string{"token": "granted"})
		}
	}))
	t.Cleanup(realm.Close)
	bearer := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Bearer granted" {
			return true
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm.URL+`/auth",service="x"`)
		w.WriteHeader(http.StatusUnauthorized)
		return false
	}
	for name, test := range map[string]struct {
		guard  guard
		access *fetch.Access
		fails  string
	}{
		"a password":                     {basic(&sent), &right, ""},
		"a wrong password":               {basic(&sent), &wrong, "does not accept"},
		"no password":                    {basic(&sent), &fetch.Access{}, "has none"},
		"a token for a password":         {bearer, &right, ""},
		"a token for a wrong password":   {bearer, &wrong, "does not accept"},
		"a token for nobody":             {bearer, &fetch.Access{}, "has none"},
		"a token that was given":         {bearer, &fetch.Access{Token: "granted"}, ""},
		"a wrong token that was given":   {bearer, &fetch.Access{Token: "topsecret"}, "does not accept"},
		"a token, and it asks for other": {basic(&sent), &fetch.Access{Token: "topsecret"}, "missing username"},
	} {
		t.Run(name, func(t *testing.T) {
			server := serveTLSOCI(t)
			server.push(t, "charts/web", "1.0.0", packChart(t, "web", "1.0.0", nil), chartMediaTypes[0])
			server.guard = test.guard
			s := newSources(t, Options{}, fetch.Options{AllowLocal: true})
			base := strings.Replace(server.URL, "https:", "oci:", 1) + "/charts"
			for _, version := range []string{"1.0.0", "~1"} {
				_, err := s.get(t.Context(), withAccess(reference(t, base, "web", version), test.access, server.Server))
				if test.fails == "" {
					if err != nil {
						t.Error(err)
					}
					continue
				}
				wantReason(t, err, installer.ReasonRepositoryUnreachable, false, test.fails)
				if strings.Contains(err.Error(), "topsecret") {
					t.Errorf("the error tells a credential: %v", err)
				}
			}
		})
	}
}

func TestRegistryElsewhereIsSentNothing(t *testing.T) {
	var sent []string
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { basic(&sent)(w, r) }))
	t.Cleanup(elsewhere.Close)
	t.Run("a blob that lies elsewhere", func(t *testing.T) {
		server := serveTLSOCI(t)
		server.push(t, "charts/web", "1.0.0", packChart(t, "web", "1.0.0", nil), chartMediaTypes[0])
		let := basic(new([]string))
		server.guard = func(w http.ResponseWriter, r *http.Request) bool {
			if !let(w, r) {
				return false
			}
			if strings.Contains(r.URL.Path, "/blobs/") {
				http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
				return false
			}
			return true
		}
		base := strings.Replace(server.URL, "https:", "oci:", 1) + "/charts"
		_, err := newSources(t, Options{}, fetch.Options{AllowLocal: true}).get(t.Context(), withAccess(reference(t, base, "web", "1.0.0"), &right, server.Server))
		wantReason(t, err, installer.ReasonRepositoryUnreachable, false)
	})
	t.Run("an operator's mirror", func(t *testing.T) {
		table, err := rewrite.New([]rewrite.Rule{{From: "oci://registry.example.com", To: strings.Replace(elsewhere.URL, "https:", "oci:", 1)}})
		if err != nil {
			t.Fatal(err)
		}
		ref := withAccess(reference(t, "oci://registry.example.com/charts", "web", "1.0.0"), &right, elsewhere)
		_, err = newSources(t, Options{Rewrites: table}, fetch.Options{}).get(t.Context(), ref)
		wantReason(t, err, installer.ReasonRepositoryUnreachable, false, "was not sent")
	})
	if len(sent) < 2 || slices.ContainsFunc(sent, func(s string) bool { return s != ":" }) {
		t.Errorf("it was sent %q", sent)
	}
}

func TestRegistryInTheClear(t *testing.T) {
	var sent []string
	server := serveOCI(t)
	server.guard = basic(&sent)
	table, err := rewrite.New([]rewrite.Rule{{From: "https://unused.example.com", To: server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	// The table makes the address one that may be named, and by http.
	ref := withAccess(reference(t, server.URL+"/charts", "web", "1.0.0"), &right, server.Server)
	s := newSources(t, Options{Rewrites: table}, fetch.Options{})
	_, err = s.oci.get(t.Context(), server.URL+"/charts/web", ref)
	wantReason(t, err, installer.ReasonRepositoryUnreachable, true, "plain http")
	if len(sent) != 0 {
		t.Errorf("the registry was asked: %q", sent)
	}
}
