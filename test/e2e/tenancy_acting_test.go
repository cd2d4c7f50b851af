// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
)

func conditionIs(conditions []metav1.Condition, kind string, value metav1.ConditionStatus, reason string) bool {
	c := meta.FindStatusCondition(conditions, kind)
	return c != nil && c.Status == value && c.Reason == reason
}

func deploymentIsThere(t *testing.T, w *tenants, namespace, name string) bool {
	t.Helper()
	out, err := tryKubectl(t.Context(), w.shared.Kubeconfig, "", "get", "deployment", name, "-n", namespace, "--ignore-not-found", "-o", "name")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(out) != ""
}

// writingProofs are for lines 20 to 22: what nobody may write, or read.
func writingProofs() []proof {
	return []proof{
		func(t *testing.T, w *tenants) (bool, string) {
			installation := fmt.Sprintf("apiVersion: ksit.io/v1alpha1\nkind: Installation\nmetadata: {name: a.b, namespace: %s}\nspec: {integration: a, target: b, type: generic}\n", w.a)
			status := func(kind, name string) []string {
				return []string{"patch", kind, name, "-n", w.a, "--subresource=status", "--type=merge", "-p", `{"status":{"message":"x"}}`}
			}
			return all(t, w.administrator, []string{"-", installation, "create", "-f", "-"}, []string{"delete", "installation", "given.own", "-n", w.a},
				[]string{"label", "installation", "given.own", "-n", w.a, "x=y"},
				status("integration", "given"), status("installation", "given.own"), status("integrationtarget", "own"))
		},
		func(t *testing.T, w *tenants) (bool, string) {
			const lie = `{"status":{"targetsRequestedBy":{"username":"mallory","groups":["system:masters"]}}}`
			args := []string{"patch", "integration", "given", "-n", w.a, "--subresource=status", "--type=merge", "-p", lie}
			if so, answer := try(t, w.editor, "", args...); so {
				return true, answer
			}
			// Nor can who may write the status.
			kubectl(t, "", args...)
			i, err := s.ksit.KsitV1alpha1().Integrations(w.a).Get(t.Context(), "given", metav1.GetOptions{})
			must(t, err)
			return i.Status.TargetsRequestedBy.Username != w.a+"-administrator", fmt.Sprintf("%+v", i.Status.TargetsRequestedBy)
		},
		func(t *testing.T, w *tenants) (bool, string) {
			return try(t, w.user, "", "get", "secret", "shared-kubeconfig", "-n", w.platform)
		},
	}
}

// forbiddenOn applies an Integration of the user's, waits until the target has
// forbidden it to the tenant, and returns what is said.
func (w *tenants) forbiddenOn(t *testing.T, manifest, installation string, words ...string) string {
	t.Helper()
	if so, answer := apply(t, w.user, manifest); !so {
		t.Fatal(answer)
	}
	i := waitCondition(t, w.a, installation, v1alpha1.ConditionInstalled, metav1.ConditionFalse, "Forbidden")
	message := meta.FindStatusCondition(i.Status.Conditions, v1alpha1.ConditionInstalled).Message
	if !hasAll(message, append(words, "system:serviceaccount:"+w.a+":deployer")) {
		t.Errorf("forbidden without saying %q: %s", words, message)
	}
	return message
}

// actingProofs are for lines 23 to 29: what KSIT does on a target for a tenant.
func actingProofs() []proof {
	return []proof{
		func(t *testing.T, w *tenants) (bool, string) {
			if so, answer := apply(t, w.user, w.inside("inside", "")); !so {
				t.Fatal(answer)
			}
			i := waitPhase(t, w.a, "inside", v1alpha1.PhaseRunning)
			return deploymentIsThere(t, w, w.a, "inside"), i.Status.Message
		},
		func(t *testing.T, w *tenants) (bool, string) {
			name := w.a + "-power"
			answer := w.forbiddenOn(t, manifests(w, "power", fmt.Sprintf(`
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata: {name: %s}
        rules: [{apiGroups: [""], resources: [secrets], verbs: [list]}]
`, name)), w.installation("power"), "clusterroles")
			out, err := tryKubectl(t.Context(), w.shared.Kubeconfig, "", "get", "clusterrole", name, "--ignore-not-found", "-o", "name")
			must(t, err)
			return strings.TrimSpace(out) != "", answer
		},
		func(t *testing.T, w *tenants) (bool, string) {
			name := strings.ReplaceAll(w.a, "-", "") + "s.tenancy.test"
			answer := w.forbiddenOn(t, manifests(w, "crd", fmt.Sprintf(`
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata: {name: %[1]ss.tenancy.test}
        spec:
          group: tenancy.test
          scope: Namespaced
          names: {plural: %[1]ss, kind: Tenant}
          versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`, strings.ReplaceAll(w.a, "-", ""))), w.installation("crd"), "customresourcedefinitions")
			out, err := tryKubectl(t.Context(), w.shared.Kubeconfig, "", "get", "crd", name, "--ignore-not-found", "-o", "name")
			must(t, err)
			return strings.TrimSpace(out) != "", answer
		},
		func(t *testing.T, w *tenants) (bool, string) {
			manifest := strings.Replace(w.inside("elsewhere", "    deletionPolicy: Orphan\n"), "config: {namespace: "+w.a+"}", "config: {namespace: "+w.b+"}", 1)
			answer := w.forbiddenOn(t, manifest, w.installation("elsewhere"), w.b)
			return deploymentIsThere(t, w, w.b, "elsewhere"), answer
		},
		func(t *testing.T, w *tenants) (bool, string) {
			requests, err := w.shared.AuditedRequests(w.auditor, w.began)
			must(t, err)
			tenant := "system:serviceaccount:" + w.a + ":deployer"
			var strange []string
			as := 0
			for _, r := range requests {
				switch {
				case r.As == tenant:
					as++
				case r.As != "" || !ownAffair(r):
					strange = append(strange, fmt.Sprintf("%s %s %s/%s as %q", r.Verb, r.Resource, r.Namespace, r.Name, r.As))
				}
			}
			t.Logf("%d requests, %d of them as the tenant", len(requests), as)
			if as == 0 {
				t.Error("there was none for the tenant: nothing is proven")
			}
			return len(strange) > 0, strings.Join(strange, "\n")
		},
		actsWithoutTheRight,
		func(t *testing.T, w *tenants) (bool, string) {
			kubectl(t, "", "create", "quota", "few", "-n", w.b, "--hard=count/integrations.ksit.io=1")
			if !poll(t.Context(), eventually, func(ctx context.Context) bool {
				out, err := tryKubectl(ctx, s.bed.Host.Kubeconfig, "", "get", "quota", "few", "-n", w.b, "-o", "jsonpath={.status.hard}")
				return err == nil && strings.Contains(out, "integrations")
			}) {
				t.Fatal("the quota is not counted")
			}
			of := func(name string) string {
				return generic(w.b, name, "podinfo-lite", "1.0.0", []string{w.platform + "/theirs"}, "  enabled: false\n")
			}
			var answer string
			if !poll(t.Context(), eventually, func(context.Context) bool {
				var so bool
				so, answer = apply(t, w.other, of("first"))
				return so
			}) {
				t.Fatal(answer)
			}
			so, answer := apply(t, w.other, of("second"))
			return saying(t, so, answer, "exceeded quota")
		},
	}
}

// manifests is an Integration of team a of manifests, on shared.
func manifests(w *tenants, name, content string) string {
	return fmt.Sprintf(`
apiVersion: ksit.io/v1alpha1
kind: Integration
metadata:
  name: %s
  namespace: %s
spec:
  type: generic
  targetClusters: [%s/shared]
  config: {namespace: %s}
  autoInstall:
    enabled: true
    method: manifest
    manifestConfig:
      manifests: |%s`, name, w.a, w.platform, w.a, content)
}

// ownAffair tells whether KSIT does something for no tenant: it probes the
// target, finds out what kinds there are, and watches which workloads change.
func ownAffair(r bed.Request) bool {
	switch {
	case strings.HasPrefix(r.Resource, "/"), r.Resource == "selfsubjectaccessreviews.authorization.k8s.io", r.Resource == "nodes" && r.Verb == "list":
		return true
	default:
		return r.Namespace == "" && slices.Contains([]string{"list", "watch"}, r.Verb) &&
			slices.Contains([]string{"deployments.apps", "statefulsets.apps", "daemonsets.apps"}, r.Resource)
	}
}

// actsWithoutTheRight is for line 28: a kubeconfig that may do everything but
// impersonate.
func actsWithoutTheRight(t *testing.T, w *tenants) (bool, string) {
	name := w.platform + "-weak"
	w.onShared(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %[1]s}
rules:
- {apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch, create, update, patch, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %[1]s}]
`, name), "apply", "-f", "-")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), eventually)
		defer cancel()
		if out, err := tryKubectl(ctx, w.shared.Kubeconfig, "", "delete", "clusterrole,clusterrolebinding", name); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	kubeconfig, err := w.shared.UserKubeconfig(name)
	must(t, err)
	// The name of this test has a comma, and kubectl takes that for two files.
	file := filepath.Join(w.dir, "weak")
	must(t, os.WriteFile(file, kubeconfig, 0o600))
	register(t, w.platform, "weak", file)
	w.admit(t, "weak", w.a)
	kubectl(t, "", "wait", "integrationtarget", "weak", "-n", w.platform, "--for=condition=Ready", "--timeout=100s")
	manifest := strings.Replace(w.inside("weak", "    deletionPolicy: Orphan\n"), w.platform+"/shared", w.platform+"/weak", 1)
	if so, answer := apply(t, w.user, manifest); !so {
		t.Fatal(answer)
	}
	i := waitCondition(t, w.a, "weak."+w.platform+".weak", v1alpha1.ConditionStalled, metav1.ConditionTrue, "ImpersonationForbidden")
	if !hasAll(i.Status.Message, []string{"the verb impersonate on serviceaccounts", `"deployer"`, w.a}) {
		t.Errorf("it does not say what to give: %s", i.Status.Message)
	}
	there := deploymentIsThere(t, w, w.a, "weak")
	kubectl(t, "", "delete", "integration", "weak", "-n", w.a, "--timeout=170s")
	return there, i.Status.Message
}

// owningProofs are for lines 30 to 32: who looks after targets.
func owningProofs() []proof {
	return []proof{
		func(t *testing.T, w *tenants) (bool, string) {
			return try(t, w.owner, "", "patch", "integrationtarget", "theirs", "-n", w.platform, "--type=merge", "-p", `{"spec":{"tenancy":{"allowedNamespaces":["`+w.b+`","nobody"]}}}`)
		},
		func(t *testing.T, w *tenants) (bool, string) {
			return try(t, w.owner, "", "get", "secret", "shared-kubeconfig", "-n", w.platform)
		},
		func(t *testing.T, w *tenants) (bool, string) {
			return all(t, w.user, []string{"get", "integrationtarget", "shared", "-n", w.platform}, []string{"get", "integrationtargets", "-n", w.platform},
				[]string{"patch", "integrationtarget", "shared", "-n", w.platform, "--type=merge", "-p", `{"spec":{"suspend":true}}`},
				[]string{"delete", "integrationtarget", "shared", "-n", w.platform})
		},
	}
}

// subresourceProofs are for lines 33 to 35: they ask what the shipped roles give.
func subresourceProofs() []proof {
	proxy := []string{"get integrationtargets/proxy", "create integrationtargets/proxy", "delete integrationtargets/proxy"}
	return []proof{
		func(t *testing.T, w *tenants) (bool, string) {
			return can(t, w.viewer, w.a, append([]string{"create integrations/reconcile", "create installations/reconcile",
				"create integrationtargets/reconcile", "create installations/rollback"}, proxy...)...)
		},
		func(t *testing.T, w *tenants) (bool, string) {
			return can(t, w.editor, w.b, "create integrations/reconcile", "create installations/reconcile", "create installations/rollback",
				"create installations/diff", "get installations/history", "get installations/manifest", "get installations/health", "get installations/log")
		},
		func(t *testing.T, w *tenants) (bool, string) {
			own, answer := can(t, w.editor, w.a, proxy...)
			shared, other := can(t, w.user, w.platform, proxy...)
			return own || shared, answer + other
		},
	}
}
