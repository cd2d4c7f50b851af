// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/hosttest"
	"ksit.io/ksit/pkg/version"
)

func TestVersion(t *testing.T) {
	host := hosttest.New(t)
	c := newClient(t, host)
	r := c.run("version")
	// The server of the test has all subresources.
	r.expect(t, 0, "Client Version: v", "Server Version: v0.9.0", "Host Version: v1.37.2")
	if strings.Contains(r.errOut, "Warning") {
		t.Errorf("warned: %s", r.errOut)
	}
	c.run("version", "-o", "json").expect(t, 0, `"serverVersion": "v0.9.0"`)
	host.On("GET /apis/ksit.io/v1alpha1", func(w http.ResponseWriter, _ *http.Request, _, _ string) {
		hosttest.JSON(w, 200, metav1.APIResourceList{GroupVersion: "ksit.io/v1alpha1", APIResources: []metav1.APIResource{{Name: "installations/diff"}}})
	})
	c.run("version").expect(t, 0, "Warning: this KSIT does not serve what these commands need: health, history, logs, manifest, proxy, kubeconfig, reconcile, rollback")

	// The host has the documents of the API later than the API.
	host.On("GET /openapi/v3/apis/ksit.io/v1alpha1", func(w http.ResponseWriter, _ *http.Request, _, _ string) {
		hosttest.Fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, "not yet")
	})
	c.run("version").expect(t, 0, "Server Version: unknown")
	host.On("GET /apis/ksit.io/v1alpha1", func(w http.ResponseWriter, _ *http.Request, _, _ string) {
		w.Header().Set(version.Header, "v0.9.1")
		hosttest.JSON(w, 200, metav1.APIResourceList{GroupVersion: "ksit.io/v1alpha1"})
	})
	c.run("version").expect(t, 0, "Server Version: v0.9.1")

	alone := c
	alone.kubeconfig = "/does/not/exist"
	alone.run("version", "--client").expect(t, 0, "Client Version")
	alone.run("version").expect(t, 1, "Client Version", "/does/not/exist")
}

func TestCompletion(t *testing.T) {
	host := storyHost(t)
	host.Put(t, &v1alpha1.IntegrationTarget{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "eu"}})
	host.On("GET installations/history", func(w http.ResponseWriter, _ *http.Request, _, _ string) {
		hosttest.JSON(w, 200, v1alpha1.InstallationHistory{
			TypeMeta: metav1.TypeMeta{Kind: "InstallationHistory", APIVersion: "ksit.io/v1alpha1"},
			Releases: []v1alpha1.ReleaseHistory{{Name: "web", Revisions: []v1alpha1.ReleaseRevision{{Revision: 2, Version: "1.1.0", Status: "deployed"}, {Revision: 1, Version: "1.0.0", Status: "superseded"}}}}})
	})
	c := newClient(t, host)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"status", ""}, "empty\nweb\n"},
		{[]string{"status", "w"}, "web\n"},
		{[]string{"reconcile", ""}, "empty\ntarget/eu\nweb\n"},
		{[]string{"proxy", ""}, "eu\n"},
		{[]string{"history", "web", "--target", ""}, "production-cluster-1\nproduction-cluster-2\n"},
		{[]string{"rollback", "web", "--target", target(2), "--to-revision", ""}, "1\tweb 1.0.0 superseded\n2\tweb 1.1.0 deployed\n"},
		{[]string{"rollback", "web", "--target", target(2), "--release", ""}, "web\n"},
		{[]string{"status", "--color", "a"}, "always\nauto\n"},
		{[]string{"status", "--context", ""}, "here\n"},
	} {
		args := append([]string{"__complete", "--kubeconfig", c.kubeconfig}, test.args...)
		var out strings.Builder
		if code := c.session(&out, &strings.Builder{}).run(t.Context(), args); code != 0 {
			t.Errorf("%v: exit code %d", test.args, code)
		}
		if got, _, _ := strings.Cut(out.String(), ":4"); got != test.want {
			t.Errorf("%v: got %q, want %q", test.args, got, test.want)
		}
	}
	c.run("completion", "bash").expect(t, 0, "__start_kubectl-ksit")
}
