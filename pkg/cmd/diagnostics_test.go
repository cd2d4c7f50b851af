// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/authorization/path"
	"k8s.io/apiserver/pkg/authorization/union"

	"ksit.io/ksit/pkg/apis/ksit/scheme"
	"ksit.io/ksit/pkg/cmd/options"
)

// TestDiagnosticsAreGuarded checks that health is for everybody, and metrics and
// profiles for those whom the host cluster lets.
func TestDiagnosticsAreGuarded(t *testing.T) {
	set, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	config := &options.DiagnosticsConfig{Profiling: true}
	config.Authentication.Authenticator = authenticator.RequestFunc(func(r *http.Request) (*authenticator.Response, bool, error) {
		name := r.Header.Get("X-Test-User")
		if name == "stranger" {
			return nil, false, nil
		}
		who := &user.DefaultInfo{Name: name}
		if name == "admin" {
			who.Groups = []string{user.SystemPrivilegedGroup}
		}
		return &authenticator.Response{User: who}, true, nil
	})
	health, err := path.NewAuthorizer([]string{"/healthz", "/readyz", "/livez"})
	if err != nil {
		t.Fatal(err)
	}
	config.Authorization.Authorizer, err = union.New(
		union.NamedAuthorizer{AuthorizerName: "groups", Authorizer: authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup)},
		union.NamedAuthorizer{AuthorizerName: "paths", Authorizer: health},
	)
	if err != nil {
		t.Fatal(err)
	}
	handler := diagnosticsHandler(config, set.Codecs)

	tests := []struct {
		user, path string
		want       int
	}{
		{"nobody", "/healthz", http.StatusOK},
		{"nobody", "/readyz", http.StatusOK},
		{"nobody", "/livez", http.StatusOK},
		{"nobody", "/metrics", http.StatusForbidden},
		{"nobody", "/debug/pprof/heap", http.StatusForbidden},
		{"stranger", "/metrics", http.StatusUnauthorized},
		{"admin", "/metrics", http.StatusOK},
		{"admin", "/debug/pprof/", http.StatusOK},
		{"admin", "/debug/pprof/heap", http.StatusOK},
		{"admin", "/nothing", http.StatusNotFound},
	}
	config.Profiling = false
	without := diagnosticsHandler(config, set.Codecs)
	t.Run("profiles are off", func(t *testing.T) {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/debug/pprof/heap", nil)
		request.Header.Set("X-Test-User", "admin")
		recorder := httptest.NewRecorder()
		without.ServeHTTP(recorder, request)
		if recorder.Code != http.StatusNotFound {
			t.Errorf("the answer is %d, want %d", recorder.Code, http.StatusNotFound)
		}
	})
	for _, test := range tests {
		t.Run(test.user+test.path, func(t *testing.T) {
			request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, test.path, nil)
			request.Header.Set("X-Test-User", test.user)
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			if recorder.Code != test.want {
				t.Errorf("the answer is %d, want %d: %s", recorder.Code, test.want, recorder.Body)
			}
		})
	}
}
