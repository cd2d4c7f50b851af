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
)

// takes has the host take requests of a subresource, and hands them to each.
func takes[T any](t *testing.T, host *hosttest.Host, what string, each func(name string, request *T) any) {
	host.On(what, func(w http.ResponseWriter, r *http.Request, _, name string) {
		object, err := hosttest.Decode(r)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		request, ok := any(object).(*T)
		if !ok {
			t.Errorf("%s got a %T", what, object)
			return
		}
		answer := each(name, request)
		hosttest.JSON(w, http.StatusCreated, answer)
	})
}

func TestRollback(t *testing.T) {
	host := storyHost(t)
	c := newClient(t, host)
	takes(t, host, "POST installations/rollback", func(name string, r *v1alpha1.RollbackRequest) any {
		if name != "web.production-cluster-2" || r.Spec.Revision != 1 || r.Spec.Release != "web" {
			t.Errorf("asked of %s: %+v", name, r.Spec)
		}
		r.TypeMeta = metav1.TypeMeta{Kind: "RollbackRequest", APIVersion: "ksit.io/v1alpha1"}
		r.Status.ID = "id-1"
		return r
	})
	args := []string{"rollback", "web", "--target", target(2), "--to-revision", "1", "--release", "web"}
	c.run(args...).expect(t, 0, "rollback of web on production-cluster-2 to revision 1 requested (id id-1)")

	operation := func(outcome v1alpha1.OperationOutcome, message string) {
		i := degraded(2)
		i.Status.Operations = []v1alpha1.Operation{{ID: "id-1", Type: v1alpha1.OperationRollback, Outcome: outcome, Message: message}}
		host.Put(t, i)
	}
	waiting := c.follow(append(args, "--wait")...)
	waiting.until(t, "KSIT did not begin yet")
	operation(v1alpha1.OperationSucceeded, "")
	waiting.ends(t, 0)

	operation(v1alpha1.OperationFailed, "no such revision")
	c.run(append(args, "--wait")...).expect(t, 1, "1 of 1 failed:\n  web on production-cluster-2 is Degraded: no such revision")
	operation(v1alpha1.OperationSuperseded, "")
	c.run(append(args, "--wait")...).expect(t, 1, "another request came before this one began")
	c.run("rollback", "web", "--target", target(2), "--to-revision", "-1").expect(t, 1, "--to-revision is -1")
}

func TestReconcile(t *testing.T) {
	host := storyHost(t)
	c := newClient(t, host)
	for _, what := range []string{"integrations", "installations", "integrationtargets"} {
		takes(t, host, "POST "+what+"/reconcile", func(name string, r *v1alpha1.ReconcileRequest) any {
			r.TypeMeta = metav1.TypeMeta{Kind: "ReconcileRequest", APIVersion: "ksit.io/v1alpha1"}
			r.Status.ID = "id-2"
			return r
		})
	}
	c.run("reconcile", "web").expect(t, 0, "reconcile of web requested (id id-2)")
	c.run("reconcile", "web", "--target", target(1)).expect(t, 0, "reconcile of web on production-cluster-1 requested")
	c.run("reconcile", "target/x").expect(t, 0, "reconcile of target x requested")
	c.run("reconcile", "target/x", "--target", "y").expect(t, 1, "do not go together")
	want := []string{"integrations/web/reconcile", "installations/web.production-cluster-1/reconcile", "integrationtargets/x/reconcile"}
	for n, request := range host.Requests() {
		if n >= len(want) || !strings.Contains(request, want[n]) {
			t.Errorf("request %d is %s", n, request)
		}
	}

	// To wait is to wait for every target.
	seen := integration("web", v1alpha1.PhaseRunning, 2, 2)
	seen.Annotations = map[string]string{v1alpha1.AnnotationReconcile: "id-2"}
	seen.Status.LastReconcileRequest = "id-2"
	one, two := installed("web", 1, v1alpha1.PhaseRunning), installed("web", 2, v1alpha1.PhaseRunning)
	one.Status.LastReconcileRequest = "id-2"
	host.Put(t, seen, one, two)
	waiting := c.follow("reconcile", "web", "--wait")
	waiting.until(t, "production-cluster-1")
	two.Status.LastReconcileRequest = "id-2"
	host.Put(t, two)
	waiting.ends(t, 0)

	host.On("GET integrationtargets/health", func(w http.ResponseWriter, _ *http.Request, _, _ string) {
		hosttest.JSON(w, 200, targetHealth(false))
	})
	c.run("reconcile", "target/x", "--wait").expect(t, 1, "Reachable", "no route")
}

func targetHealth(ready bool) *v1alpha1.IntegrationTargetHealth {
	h := &v1alpha1.IntegrationTargetHealth{
		TypeMeta: metav1.TypeMeta{Kind: "IntegrationTargetHealth", APIVersion: "ksit.io/v1alpha1"},
		Ready:    ready, Version: "v1.37.2", Endpoint: "https://10.0.0.1:6443", LatencyMilliseconds: 7, Nodes: &v1alpha1.NodeCounts{Ready: 2, Total: 3},
	}
	status, message := metav1.ConditionTrue, "the API server answers"
	if !ready {
		status, message = metav1.ConditionFalse, "no route"
	}
	h.Conditions = []metav1.Condition{{Type: "Reachable", Status: status, Reason: "Because", Message: message}}
	return h
}

func TestHealth(t *testing.T) {
	host := storyHost(t)
	c := newClient(t, host)
	host.On("GET installations/health", func(w http.ResponseWriter, _ *http.Request, _, name string) {
		h := v1alpha1.InstallationHealth{TypeMeta: metav1.TypeMeta{Kind: "InstallationHealth", APIVersion: "ksit.io/v1alpha1"},
			State: v1alpha1.CheckPassed, TookMilliseconds: 12, Checks: []v1alpha1.CheckResult{{Name: "objects", State: v1alpha1.CheckPassed, Message: "4 objects"}}}
		if strings.HasSuffix(name, target(2)) {
			h.State, h.Message = v1alpha1.CheckFailed, "1 object is not as it should be"
			h.Unhealthy = degraded(2).Status.Unhealthy
		}
		hosttest.JSON(w, 200, h)
	})
	r := c.run("health", "web")
	r.expect(t, 1)
	golden(t, "health.golden", r.out)
	c.run("health", "web", "--target", target(1)).expect(t, 0, "Passed", "12ms")
	c.run("health", "web", "--target", target(1), "-o", "yaml").expect(t, 0, "kind: InstallationHealth")

	host.On("GET integrationtargets/health", func(w http.ResponseWriter, _ *http.Request, _, _ string) {
		hosttest.JSON(w, 200, targetHealth(true))
	})
	r = c.run("health", "target/x")
	r.expect(t, 0)
	golden(t, "health-target.golden", r.out)

	host.On("GET installations/health", func(w http.ResponseWriter, _ *http.Request, _, _ string) {
		hosttest.Fail(w, 504, metav1.StatusReasonTimeout, "the target does not answer")
	})
	c.run("health", "web").expect(t, 1, "the target does not answer")
}

func TestHistory(t *testing.T) {
	host := storyHost(t)
	c := newClient(t, host)
	host.On("GET installations/history", func(w http.ResponseWriter, _ *http.Request, _, _ string) {
		at := before(0)
		hosttest.JSON(w, 200, v1alpha1.InstallationHistory{
			TypeMeta: metav1.TypeMeta{Kind: "InstallationHistory", APIVersion: "ksit.io/v1alpha1"},
			Releases: []v1alpha1.ReleaseHistory{
				{Name: "base", Namespace: "web"},
				{Name: "web", Namespace: "web", Revisions: []v1alpha1.ReleaseRevision{
					{Revision: 3, Status: "deployed", DeployedAt: &at, Chart: "podinfo", Version: "1.0.0", AppVersion: "6.0", Description: "Rollback to 1", Digest: "sha256:1"},
					{Revision: 2, Status: "superseded", DeployedAt: &at, Chart: "podinfo", Version: "1.1.0", AppVersion: "6.0", Description: "Upgrade complete", Digest: "sha256:2"},
					{Revision: 1, Status: "superseded", Chart: "podinfo", Version: "1.0.0"},
				}},
			}})
	})
	r := c.run("history", "web", "--target", target(2))
	r.expect(t, 0)
	golden(t, "history.golden", r.out)
	c.run("history", "web", "--target", target(2), "-o", "json").expect(t, 0, `"kind": "InstallationHistory"`)
}

func TestManifest(t *testing.T) {
	host := storyHost(t)
	c := newClient(t, host)
	host.On("GET installations/manifest", func(w http.ResponseWriter, r *http.Request, _, _ string) {
		if q := r.URL.Query(); q.Get("revision") != "1" || q.Get("release") != "web" {
			t.Errorf("asked with %s", r.URL.RawQuery)
		}
		hosttest.JSON(w, 200, v1alpha1.InstallationManifest{
			TypeMeta: metav1.TypeMeta{Kind: "InstallationManifest", APIVersion: "ksit.io/v1alpha1"},
			Releases: []v1alpha1.ReleaseManifest{{Name: "web", Namespace: "web", Revision: 1, Chart: "podinfo", Version: "1.0.0",
				Values: "a: 1\n", Manifest: "---\nkind: ConfigMap\n---\nkind: Secret\n", Truncated: true}}})
	})
	args := []string{"manifest", "web", "--target", target(2), "--revision", "1", "--release", "web"}
	r := c.run(args...)
	r.expect(t, 0, "Warning: the manifest of web is cut")
	if want := "---\n# web in web, revision 1: podinfo 1.0.0\nkind: ConfigMap\n---\nkind: Secret\n"; r.out != want {
		t.Errorf("got %q", r.out)
	}
	c.run(append(args, "--values")...).expect(t, 0, "a: 1")
}
