// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"net/http"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/hosttest"
)

func TestHostWithoutKSIT(t *testing.T) {
	host := hosttest.New(t)
	host.WithoutKSIT()
	c := newClient(t, host)
	for _, args := range [][]string{
		{"status"}, {"status", "web"}, {"targets"}, {"history", "web"}, {"reconcile", "target/x"}, {"kubeconfig", "x"}, {"version"},
	} {
		c.run(args...).expect(t, 1, "does not serve ksit.io/v1alpha1: KSIT is not installed there", "--context")
	}
	c.run("diff", "web").expect(t, 2, "KSIT is not installed there")
}

func TestKSITDoesNotAnswer(t *testing.T) {
	host := hosttest.New(t)
	unavailable := func(w http.ResponseWriter, _ *http.Request, _, _ string) {
		hosttest.Fail(w, 503, metav1.StatusReasonServiceUnavailable, "the server is currently unable to handle the request")
	}
	host.On("GET integrations", unavailable)
	host.On("GET /apis/ksit.io/v1alpha1", unavailable)
	newClient(t, host).run("status").expect(t, 1, "KSIT is registered with the cluster at", "kubectl get apiservice v1alpha1.ksit.io")
}

// TestErrorsReadAsThoseOfKubectl compares with what kubectl prints for the same
// answers of a server.
func TestErrorsReadAsThoseOfKubectl(t *testing.T) {
	host := storyHost(t)
	c := newClient(t, host)
	host.On("POST installations/rollback", func(w http.ResponseWriter, _ *http.Request, _, name string) {
		hosttest.JSON(w, 422, metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: 422, Reason: metav1.StatusReasonInvalid,
			Details: &metav1.StatusDetails{Kind: "RollbackRequest", Name: name, Causes: []metav1.StatusCause{
				{Field: "spec.revision", Message: "Invalid value: 9: there is none"}, {Field: "spec.release", Message: "Required value"}}},
		})
	})
	r := c.run("rollback", "web", "--target", target(2), "--to-revision", "9")
	r.expect(t, 1)
	if want := "The RollbackRequest \"web.production-cluster-2\" is invalid:\n* spec.revision: Invalid value: 9: there is none\n* spec.release: Required value\n"; r.errOut != want {
		t.Errorf("got %q", r.errOut)
	}
	host.On("POST installations/rollback", func(w http.ResponseWriter, _ *http.Request, _, _ string) {
		hosttest.Fail(w, 403, metav1.StatusReasonForbidden, `installations.ksit.io "x" is forbidden: User "bob" cannot create resource`)
	})
	r = c.run("rollback", "web", "--target", target(2))
	r.expect(t, 1, `Error from server (Forbidden): installations.ksit.io "x" is forbidden`)

	wrong := newClient(t, host)
	wrong.kubeconfig = host.Kubeconfig(t, func(config *clientcmdapi.Config) { config.AuthInfos["me"].Token = "wrong" })
	wrong.run("status").expect(t, 1, "error: You must be logged in to the server (Unauthorized)")

	gone := newClient(t, host)
	gone.kubeconfig = host.Kubeconfig(t, func(config *clientcmdapi.Config) { config.Clusters["here"].Server = "https://127.0.0.1:1" })
	gone.run("status").expect(t, 1, "The connection to the server 127.0.0.1:1 was refused")
}

func TestWarningsOfTheServerAreShown(t *testing.T) {
	host := storyHost(t)
	host.On("POST integrations/reconcile", func(w http.ResponseWriter, _ *http.Request, _, _ string) {
		w.Header().Set("Warning", `299 - "spec.config.colour: nobody reads it"`)
		hosttest.JSON(w, 201, v1alpha1.ReconcileRequest{TypeMeta: metav1.TypeMeta{Kind: "ReconcileRequest", APIVersion: "ksit.io/v1alpha1"}})
	})
	newClient(t, host).run("reconcile", "web").expect(t, 0, "Warning: spec.config.colour: nobody reads it")
}

func TestFindingAnInstallation(t *testing.T) {
	host := storyHost(t)
	for n := 10; n < 30; n++ {
		host.Put(t, installed("many", n, "Running"))
	}
	host.Put(t, integration("many", "Running", 20, 20))
	c := newClient(t, host)
	c.run("history", "web").expect(t, 1, "is on 2 targets: say which one with --target: production-cluster-1, production-cluster-2")
	c.run("history", "web", "--target", "nowhere").expect(t, 1, `is not on a target "nowhere"; it is on production-cluster-1, production-cluster-2`)
	c.run("history", "many").expect(t, 1, "is on 20 targets", "and 10 more")
	c.run("history", "empty").expect(t, 1, "Integration team-a/empty is on no target yet")
	c.run("history", "none").expect(t, 1, `integrations.ksit.io "none" not found`)
	c.run("history", "target/x").expect(t, 1, "name an INTEGRATION")
	c.run("history", "secret/x").expect(t, 1, `"secret/x" is neither an INTEGRATION nor target/NAME`)
}
