// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/rest"
)

func TestIdentity(t *testing.T) {
	got, err := identity(&user.DefaultInfo{
		Name: "jane", UID: "42",
		Groups: []string{
			"dev", "system:masters", "system:nodes", "system:serviceaccounts", "system:authenticated",
			"system:cluster-admins", "kubeadm:cluster-admins", "ops", "not-system:masters",
		},
		Extra: map[string][]string{
			"scopes":                      {"a", "b"},
			"example.com/team":            {"red"},
			"kubernetes.io.example.com/x": {"kept"},
			"authentication.kubernetes.io/credential-id": {"X509SHA256=1"},
			"Authentication.Kubernetes.io/Pod-Name":      {"p"},
			"iam.gke.io.k8s.io/x":                        {"y"},
			"kubernetes.io/y":                            {"z"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := rest.ImpersonationConfig{
		UserName: "jane", UID: "42", Groups: []string{"dev", "ops", "not-system:masters"},
		Extra: map[string][]string{"scopes": {"a", "b"}, "example.com/team": {"red"}, "kubernetes.io.example.com/x": {"kept"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The host's own identities must not become the target's: nothing is sent.
func TestRefusedCallers(t *testing.T) {
	var arrived atomic.Int32
	f := start(t, "", Options{}, func(http.ResponseWriter, *http.Request) { arrived.Add(1) })
	for name, reason := range map[string]string{
		"":                                      "names no user",
		"system:anonymous":                      "anonymous",
		"system:admin":                          "begin with system:",
		"system:apiserver":                      "begin with system:",
		"system:kube-controller-manager":        "begin with system:",
		"system:node:node-1":                    "begin with system:",
		"system:serviceaccount:kube-system:gc":  "service accounts of the host",
		"jane ":                                 "blank",
		"jane\r\nImpersonate-Group: cluster-op": "control characters",
	} {
		f.caller.Store(&user.DefaultInfo{Name: name, Groups: []string{"system:masters"}})
		response, body := f.get(t, "/api", nil)
		if response.StatusCode != http.StatusForbidden || !strings.Contains(body, reason) {
			t.Errorf("%q: %s %s", name, response.Status, body)
		}
	}
	if n := arrived.Load(); n > 0 {
		t.Errorf("%d requests arrived at the target", n)
	}
}
