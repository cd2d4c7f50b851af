// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"ksit.io/ksit/test/bed"
)

// proxyRights are what the user jane may do on the target, by its own RBAC.
const proxyRights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: jane, namespace: %[1]s}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, list, watch, create, delete, patch]}
- {apiGroups: [""], resources: [pods/log], verbs: [get]}
- {apiGroups: [""], resources: [pods/exec, pods/attach, pods/portforward], verbs: [create]}
- {apiGroups: [""], resources: [configmaps], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: jane, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: jane}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: developers}]
`

// proxyUser is a user of the host whose kubectl goes to a target, by way of the
// host's aggregation layer and KSIT.
type proxyUser struct{ kubeconfig string }

// newProxyUser makes a user who proves himself to the host with a client
// certificate, and has a kubeconfig for the target of the namespace.
func newProxyUser(t *testing.T, namespace, target, name string, groups ...string) *proxyUser {
	t.Helper()
	data, err := s.bed.Host.UserKubeconfig(name, groups...)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, cluster := range config.Clusters {
		cluster.Server += "/apis/ksit.io/v1alpha1/namespaces/" + namespace + "/integrationtargets/" + target + "/proxy"
	}
	path := filepath.Join(t.TempDir(), name+".kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return &proxyUser{path}
}

func (u *proxyUser) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := tryKubectl(t.Context(), u.kubeconfig, stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// fails runs what must be refused with the words.
func (u *proxyUser) fails(t *testing.T, words string, args ...string) {
	t.Helper()
	out, err := tryKubectl(t.Context(), u.kubeconfig, "", args...)
	if err == nil || !strings.Contains(out, words) {
		t.Errorf("kubectl %s: %v, without saying %q:\n%s", strings.Join(args, " "), err, words, out)
	}
}

// impersonationAccount gives a target the account of artifacts/target, and returns
// the file of a kubeconfig of it.
func impersonationAccount(t *testing.T, target *bed.Cluster) string {
	t.Helper()
	manifest, err := os.ReadFile(filepath.Join("..", "..", "artifacts", "target", "impersonation.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Apply(t.Context(), manifest); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = tryKubectl(context.Background(), target.Kubeconfig, string(manifest), "delete", "-f", "-", "--wait=false")
	})
	data, err := target.ServiceAccountKubeconfig(t.Context(), "ksit", "ksit")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ksit.kubeconfig")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestProxy does on a target what people do with kubectl, as a user without any
// right on the host but the one to pass, and with an account of KSIT there that
// can do nothing but impersonate.
func TestProxy(t *testing.T) {
	target := s.bed.Targets[0]
	ns := namespace(t)
	register(t, ns, "one", impersonationAccount(t, target))
	kubectl(t, "", "create", "rolebinding", "proxy", "-n", ns, "--clusterrole=ksit-target-proxy", "--user=jane", "--user=jack")
	if out, err := tryKubectl(t.Context(), target.Kubeconfig, "", "create", "namespace", ns); err != nil {
		t.Fatal(out)
	}
	t.Cleanup(func() {
		_, _ = tryKubectl(context.Background(), target.Kubeconfig, "", "delete", "namespace", ns, "--wait=false")
	})
	if err := target.Apply(t.Context(), fmt.Appendf(nil, proxyRights, ns)); err != nil {
		t.Fatal(err)
	}
	target.AnswerForPods(streamingKubelet())
	t.Cleanup(func() { target.AnswerForPods(nil) })

	jane := newProxyUser(t, ns, "one", "jane", "developers", "system:nodes")
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		_, err := tryKubectl(ctx, jane.kubeconfig, "", "get", "pods", "-n", ns)
		return err == nil
	}) {
		jane.kubectl(t, "", "get", "pods", "-n", ns)
	}

	t.Run("who am I", func(t *testing.T) {
		out := jane.kubectl(t, "", "auth", "whoami", "-o", "json")
		if !strings.Contains(out, `"jane"`) || !strings.Contains(out, `"developers"`) || strings.Contains(out, "system:nodes") || strings.Contains(out, "credential-id") {
			t.Errorf("%s", out)
		}
	})
	t.Run("refusals", func(t *testing.T) {
		jane.fails(t, `User "jane" cannot list resource "secrets"`, "get", "secrets", "-n", "kube-system")
		jane.fails(t, "cannot impersonate", "get", "pods", "-n", ns, "--as=root")
		newProxyUser(t, ns, "one", "joe", "developers").fails(t, `User "joe" cannot get resource "integrationtargets/proxy"`, "get", "--raw", "/version")
		// He may pass, but KSIT's account may not impersonate him.
		newProxyUser(t, ns, "one", "jack").fails(t, `impersonate on users "jack"`, "get", "--raw", "/version")
		newProxyUser(t, ns, "one", "system:kube-scheduler", "system:masters").fails(t, "begin with system:", "get", "--raw", "/version")
		newProxyUser(t, ns, "none", "jane").fails(t, "not found", "get", "--raw", "/version")
	})
	t.Run("objects", func(t *testing.T) { testProxyObjects(t, jane, ns) })
	jane.kubectl(t, "", "run", "web", "-n", ns, "--image=web", "--restart=Never")
	jane.kubectl(t, "", "wait", "pod/web", "-n", ns, "--for=condition=Ready", "--timeout=100s")
	t.Run("log", func(t *testing.T) {
		if out := jane.kubectl(t, "", "logs", "-n", ns, "web"); !strings.Contains(out, "a line of web") {
			t.Errorf("%s", out)
		}
	})
	for _, websocket := range []string{"true", "false"} {
		t.Run("exec, WebSocket "+websocket, func(t *testing.T) {
			t.Setenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websocket)
			sent := strings.Repeat("all work and no play\n", 10000)
			cmd := exec.CommandContext(t.Context(), s.bed.Tools.Kubectl, "--kubeconfig", jane.kubeconfig, "exec", "-i", "-n", ns, "web", "--", "cat")
			cmd.Stdin = strings.NewReader(sent)
			var out, problems bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &problems
			if err := cmd.Run(); err != nil || out.String() != sent {
				t.Errorf("%v: %d bytes of %d came back: %s", err, out.Len(), len(sent), problems.String())
			}
			jane.fails(t, "exit code 3", "exec", "-n", ns, "web", "--", "fail")
		})
		t.Run("port-forward, WebSocket "+websocket, func(t *testing.T) {
			t.Setenv("KUBECTL_PORT_FORWARD_WEBSOCKETS", websocket)
			testPortForward(t, jane, ns)
		})
	}
}

func testProxyObjects(t *testing.T, jane *proxyUser, ns string) {
	manifest := func(value string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: %s}\ndata: {k: %s}\n", ns, value)
	}
	watch := exec.CommandContext(t.Context(), s.bed.Tools.Kubectl, "--kubeconfig", jane.kubeconfig,
		"get", "configmap", "-n", ns, "-w", "--field-selector=metadata.name=x", "-o", "jsonpath={.data.k}{'\\n'}")
	pipe, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watch.Process.Kill(); _ = watch.Wait() }()
	timer := time.AfterFunc(eventually, func() { _ = watch.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewScanner(pipe)
	sees := func(want string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == want {
				return
			}
		}
		t.Fatalf("the watch ended before %s", want)
	}

	jane.kubectl(t, manifest("one"), "apply", "--server-side", "-f", "-")
	sees("one")
	jane.kubectl(t, manifest("two"), "apply", "--server-side", "--dry-run=server", "-f", "-")
	if out, err := tryKubectl(t.Context(), jane.kubeconfig, manifest("two"), "diff", "--server-side", "-f", "-"); err == nil || !strings.Contains(out, "k: two") {
		t.Errorf("diff: %v\n%s", err, out)
	}
	if out := jane.kubectl(t, "", "get", "configmap", "x", "-n", ns, "-o", "jsonpath={.data.k}"); out != "one" {
		t.Errorf("a dry run left %s", out)
	}
	jane.kubectl(t, "", "patch", "configmap", "x", "-n", ns, "-p", `{"data":{"k":"three"}}`)
	sees("three")
	jane.kubectl(t, "", "delete", "configmap", "x", "-n", ns)
	if out := jane.kubectl(t, "", "explain", "pod.spec.containers"); !strings.Contains(out, "DESCRIPTION") {
		t.Errorf("explain: %s", out)
	}
	if out := jane.kubectl(t, "", "api-resources"); !strings.Contains(out, "deployments") {
		t.Errorf("api-resources: %s", out)
	}
}

var forwarding = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+)`)

func testPortForward(t *testing.T, jane *proxyUser, ns string) {
	cmd := exec.CommandContext(t.Context(), s.bed.Tools.Kubectl, "--kubeconfig", jane.kubeconfig, "port-forward", "-n", ns, "pod/web", "--address=127.0.0.1", ":8080")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var problems bytes.Buffer
	cmd.Stderr = &problems
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	timer := time.AfterFunc(eventually, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewScanner(pipe)
	if !lines.Scan() {
		t.Fatalf("no port is forwarded: %s", problems.String())
	}
	match := forwarding.FindStringSubmatch(lines.Text())
	if match == nil {
		t.Fatalf("got %s", lines.Text())
	}
	for n := range 3 {
		conn, err := net.Dial("tcp", match[1])
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(eventually))
		fmt.Fprintf(conn, "hello %d\n", n)
		got, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil && err != io.EOF { //nolint:errorlint // a bare one
			t.Error(err)
		}
		if want := fmt.Sprintf("port 8080 of web: hello %d\n", n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		_ = conn.Close()
	}
}
