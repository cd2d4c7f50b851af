// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ksit.io/ksit/test/bed"
)

// tenants are two teams with a namespace each, a and b, a third with the targets
// of a platform team, and their users, each of whom has a client certificate and
// the rights that the shipped roles give.
//
// The target shared admits a, and the target theirs admits b. On the cluster of
// shared each team is a service account with the role admin in the namespace of
// its name. The target own is a's own.
type tenants struct {
	a, b, platform string
	// kubeconfigs of the users.
	viewer, editor, administrator, user, other, named, owner string
	shared                                                   *bed.Cluster
	// auditor is the user of the kubeconfig of shared.
	auditor string
	began   time.Time
	// dir is for files.
	dir string
}

func newTenants(t *testing.T) *tenants {
	w := &tenants{a: namespace(t), b: namespace(t), platform: namespace(t), shared: s.bed.Targets[0], began: time.Now(), dir: t.TempDir()}
	w.auditor = w.platform + "-ksit"

	host := func(name string) string {
		kubeconfig, err := s.bed.Host.UserKubeconfig(w.a + "-" + name)
		must(t, err)
		return inFile(t, kubeconfig)
	}
	bind := func(name, namespace, role string) {
		kubectl(t, "", "create", "rolebinding", name+"-"+strings.ReplaceAll(role, "/", "-"), "-n", namespace, "--"+strings.Replace(role, "/", "=", 1), "--user="+w.a+"-"+name)
	}
	w.viewer, w.editor, w.administrator = host("viewer"), host("editor"), host("administrator")
	w.user, w.other, w.named, w.owner = host("user"), host("other"), host("named"), host("owner")
	bind("viewer", w.a, "clusterrole/view")
	bind("editor", w.a, "clusterrole/edit")
	bind("administrator", w.a, "clusterrole/admin")
	bind("user", w.a, "clusterrole/edit")
	bind("user", w.platform, "clusterrole/ksit-target-user")
	bind("other", w.b, "clusterrole/edit")
	bind("other", w.platform, "clusterrole/ksit-target-user")
	bind("named", w.a, "clusterrole/edit")
	kubectl(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: use-shared, namespace: %s}
rules:
- {apiGroups: [ksit.io], resources: [integrationtargets], resourceNames: [shared], verbs: [use]}
`, w.platform), "apply", "-f", "-")
	bind("named", w.platform, "role/use-shared")
	bind("owner", w.platform, "clusterrole/ksit-target-owner")

	kubeconfig, err := w.shared.AuditedKubeconfig(w.auditor)
	must(t, err)
	registerContent(t, w.platform, "shared", kubeconfig)
	register(t, w.platform, "theirs", s.bed.Targets[1].Kubeconfig)
	register(t, w.a, "own", s.bed.Targets[2].Kubeconfig)
	w.admit(t, "shared", w.a)
	w.admit(t, "theirs", w.b)
	for _, team := range []string{w.a, w.b} {
		w.onShared(t, "", "create", "namespace", team)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), eventually)
			defer cancel()
			if out, err := tryKubectl(ctx, w.shared.Kubeconfig, "", "delete", "namespace", team, "--wait=false"); err != nil {
				t.Errorf("deleting the namespace of a team: %v\n%s", err, out)
			}
		})
		w.onShared(t, "", "create", "serviceaccount", "deployer", "-n", team)
		w.onShared(t, "", "create", "rolebinding", "deployer", "-n", team, "--clusterrole=admin", "--serviceaccount="+team+":deployer")
	}
	t.Cleanup(func() {
		// While the teams have their rights on the target: without them nothing
		// could be uninstalled.
		ctx, cancel := context.WithTimeout(context.Background(), eventually)
		defer cancel()
		for _, team := range []string{w.a, w.b} {
			if out, err := tryKubectl(ctx, s.bed.Host.Kubeconfig, "", "delete", "integrations", "--all", "-n", team, "--timeout=150s"); err != nil {
				t.Errorf("deleting the Integrations of a team: %v\n%s", err, out)
			}
		}
	})
	kubectl(t, "", "wait", "integrationtargets", "--all", "-n", w.platform, "--for=condition=Ready", "--timeout=100s")
	kubectl(t, "", "wait", "integrationtargets", "--all", "-n", w.a, "--for=condition=Ready", "--timeout=100s")
	return w
}

// admit has a target of the platform team admit namespaces, each as a service
// account of its own.
func (w *tenants) admit(t *testing.T, target string, namespaces ...string) {
	t.Helper()
	kubectl(t, "", "patch", "integrationtarget", target, "-n", w.platform, "--type=merge", "-p", fmt.Sprintf(
		`{"spec":{"tenancy":{"allowedNamespaces":[%s],"impersonate":[{"namespace":"*","serviceAccount":"{namespace}/deployer"}]}}}`, quoted(namespaces)))
}

func quoted(names []string) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(all, ",")
}

func (w *tenants) onShared(t testing.TB, stdin string, args ...string) {
	t.Helper()
	if out, err := tryKubectl(t.Context(), w.shared.Kubeconfig, stdin, args...); err != nil {
		t.Fatalf("kubectl %s on the target: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// try has a user do something. That the API server forbids it is an answer, all
// else that fails is the test's fault.
func try(t *testing.T, kubeconfig, stdin string, args ...string) (bool, string) {
	t.Helper()
	out, err := tryKubectl(t.Context(), kubeconfig, stdin, args...)
	if err != nil && !strings.Contains(strings.ToLower(out), "forbidden") {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return err == nil, out
}

// all is so where each of several is; none where any is. It fails the test where
// they differ, since the table has but one answer.
func all(t *testing.T, kubeconfig string, tries ...[]string) (bool, string) {
	t.Helper()
	var answers []string
	var so []bool
	for _, args := range tries {
		stdin := ""
		if len(args) > 1 && args[0] == "-" {
			stdin, args = args[1], args[2:]
		}
		yes, out := try(t, kubeconfig, stdin, args...)
		so = append(so, yes)
		answers = append(answers, out)
		if yes != so[0] {
			t.Errorf("some of it may be done, some not: %q", answers)
		}
	}
	return so[0], strings.Join(answers, "\n")
}

// apply applies a manifest as a user.
func apply(t *testing.T, kubeconfig, manifest string) (bool, string) {
	t.Helper()
	return try(t, kubeconfig, manifest, "apply", "-f", "-")
}

// can asks the host cluster whether a user may do each of several things, as
// verb resource: the shipped roles are all that is asked.
func can(t *testing.T, kubeconfig, namespace string, wanted ...string) (bool, string) {
	t.Helper()
	var answers []string
	for _, want := range wanted {
		verb, resource, _ := strings.Cut(want, " ")
		resource, subresource, _ := strings.Cut(resource, "/")
		args := []string{"auth", "can-i", verb, resource + ".ksit.io", "-n", namespace}
		if subresource != "" {
			args = append(args, "--subresource="+subresource)
		}
		// It exits with 1 for no.
		out, _ := tryKubectl(t.Context(), kubeconfig, "", args...)
		answer := strings.TrimSpace(lastLine(out))
		if answer != "yes" && answer != "no" {
			t.Fatalf("can-i %s: %s", want, out)
		}
		answers = append(answers, answer)
	}
	if slices.Contains(answers, "yes") && slices.Contains(answers, "no") {
		t.Errorf("some of it may be done, some not: %q: %q", wanted, answers)
	}
	return answers[0] == "yes", fmt.Sprint(answers)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
