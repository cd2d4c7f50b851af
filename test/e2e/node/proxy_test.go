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

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"ksit.io/ksit/test/bed"
)

// jane is a user of the host without any right there.
const jane = "jane"

// testProxied execs into a real container, and forwards a port to it, through the
// subresource proxy of the IntegrationTarget, as somebody who is no administrator.
func testProxied(t *testing.T, b *bed.Bed, kube kubernetes.Interface) {
	kubeconfig := proxied(t, b)
	pod := pods(t, kube)[0]
	refused := func(t *testing.T, what string) {
		t.Helper()
		wait(t, "kubectl exec is not refused for want of "+what, func(context.Context) error {
			out, err := execIn(t.Context(), b, kubeconfig, app, pod, "", "/pods", "echo", "x")
			if err != nil && strings.Contains(out, "orbidden") && strings.Contains(out, jane) && strings.Contains(out, what) {
				return nil
			}
			return fmt.Errorf("%q (%v)", out, err)
		})
	}
	refused(t, "integrationtargets")
	if err := b.Host.Apply(t.Context(), fmt.Appendf(nil, mayPass, ns, jane)); err != nil {
		t.Fatal(err)
	}
	// The host lets her pass now, and the target does not know her.
	refused(t, `"pods`)
	if err := b.Host.Apply(t.Context(), fmt.Appendf(nil, mayExec, app, jane)); err != nil {
		t.Fatal(err)
	}
	wait(t, "the right on the target is not taken up", func(context.Context) error {
		out, err := execIn(t.Context(), b, kubeconfig, app, pod, "", "/pods", "echo", "x")
		if err != nil {
			err = fmt.Errorf("%s: %w", out, err)
		}
		return err
	})
	reachable(t, b, kubeconfig, app, pod)
	kubectl(t, b, "delete", "rolebinding", "jane", "-n", ns)
	refused(t, "integrationtargets")
}

// proxied writes a kubeconfig of jane's that leads to the target through KSIT.
func proxied(t *testing.T, b *bed.Bed) string {
	t.Helper()
	content, err := b.Host.UserKubeconfig(jane, "developers")
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.Load(content)
	if err != nil {
		t.Fatal(err)
	}
	for _, cluster := range config.Clusters {
		cluster.Server += fmt.Sprintf("/apis/ksit.io/v1alpha1/namespaces/%s/integrationtargets/%s/proxy", ns, b.Host.Name)
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
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: jane, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: jane}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %[2]s}]
`
