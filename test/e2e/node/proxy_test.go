// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

// jane is a user of the host without any right there.
const jane = "jane"

// testProxied execs into a real container, and forwards a port to it, through the
// subresource proxy of the IntegrationTarget, as somebody who is no administrator.
func testProxied(t *testing.T, c *cluster) {
	kubeconfig := proxied(t, c)
	pod := pods(t, c)[0]
	refusedByHost(t, c, kubeconfig, pod)
	if err := c.Host.Apply(t.Context(), fmt.Appendf(nil, mayPass, ns, jane)); err != nil {
		t.Fatal(err)
	}
	// The host lets her pass now, and the target does not know her.
	refused(t, `User "jane" cannot get resource "pods"`, func(ctx context.Context) (string, error) {
		return execIn(ctx, c, kubeconfig, app, pod, "", "/pods", "echo", "x")
	})
	if err := c.Host.Apply(t.Context(), fmt.Appendf(nil, mayExec, app, jane)); err != nil {
		t.Fatal(err)
	}
	wait(t, "the right on the target is not taken up", func(context.Context) error {
		out, err := execIn(t.Context(), c, kubeconfig, app, pod, "", "/pods", "echo", "x")
		if err != nil {
			err = fmt.Errorf("%s: %w", out, err)
		}
		return err
	})
	reachable(t, c, kubeconfig, app, pod)
	// HTTP to the pods, by way of KSIT, the target's API server and their Service.
	out, err := tryKubectl(t.Context(), c, kubeconfig, "", "get", "--raw", "/api/v1/namespaces/"+app+"/services/http:"+app+":http/proxy/healthz")
	if err != nil || out != "ok\n" {
		t.Errorf("through the Service the answer is %q (%v)", out, err)
	}
	kubectl(t, c, "delete", "rolebinding", "jane", "-n", ns)
	refusedByHost(t, c, kubeconfig, pod)
}

// refusedByHost waits until jane is not let through, which takes the time of a cache
// when she was before. When kubectl is refused at its first question, which is what is
// served, it keeps the reason to itself; so that is asked for.
func refusedByHost(t *testing.T, c *cluster, kubeconfig, pod string) {
	t.Helper()
	refused(t, `User "jane" cannot get resource "integrationtargets/proxy"`, func(ctx context.Context) (string, error) {
		return tryKubectl(ctx, c, kubeconfig, "", "get", "--raw", "/version")
	})
	refused(t, "", func(ctx context.Context) (string, error) {
		return execIn(ctx, c, kubeconfig, app, pod, "", "/pods", "echo", "x")
	})
}

// refused waits until something is refused in these words.
func refused(t *testing.T, words string, try func(context.Context) (string, error)) {
	t.Helper()
	wait(t, "it is not refused", func(ctx context.Context) error {
		out, err := try(ctx)
		if err != nil && strings.Contains(strings.ToLower(out), "forbidden") && strings.Contains(out, words) {
			return nil
		}
		return fmt.Errorf("what was said is %q (%v)", out, err)
	})
}

// proxied writes a kubeconfig of jane's that leads to the target through KSIT.
func proxied(t *testing.T, c *cluster) string {
	t.Helper()
	content, err := c.Host.UserKubeconfig(jane, "developers")
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.Load(content)
	if err != nil {
		t.Fatal(err)
	}
	for _, cluster := range config.Clusters {
		cluster.Server += fmt.Sprintf("/apis/ksit.io/v1alpha1/namespaces/%s/integrationtargets/%s/proxy", ns, c.Host.Name)
	}
	if content, err = clientcmd.Write(*config); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const mayPass = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: jane, namespace: %s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ksit-target-proxy}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %s}]
`

const mayExec = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: jane, namespace: %[1]s}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get]}
- {apiGroups: [""], resources: [pods/exec, pods/portforward], verbs: [get, create]}
- {apiGroups: [""], resources: [services/proxy], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: jane, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: jane}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %[2]s}]
`
