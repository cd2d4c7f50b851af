// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// execIn has kubectl run a command in a pod and returns what that printed. The
// kubeconfig may be that of the cluster, or one that leads to it some other way.
func execIn(ctx context.Context, c *cluster, kubeconfig, ns, pod, stdin string, command ...string) (string, error) {
	return tryKubectl(ctx, c, kubeconfig, stdin, append([]string{"exec", "-i", "-n", ns, pod, "--"}, command...)...)
}

var forwarding = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+)`)

// getForwarded has kubectl forward a port of this machine to one of a pod, asks for
// a path there, and returns the answer. The kubeconfig is as for execIn.
func getForwarded(ctx context.Context, c *cluster, kubeconfig, ns, pod string, port int, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Tools.Kubectl, "--kubeconfig", kubeconfig, "port-forward", "-n", ns, "pod/"+pod, fmt.Sprintf(":%d", port))
	cmd.Env = environment()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return "", err
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // It was killed.
	}()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		match := forwarding.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		// What it says later must not fill the pipe.
		go func() { _, _ = io.Copy(io.Discard, stdout) }()
		return get(ctx, "http://"+match[1]+path)
	}
	cancel()
	_ = cmd.Wait()
	return "", fmt.Errorf("kubectl port-forward: %s", stderr.String())
}

func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), nil
}

// reachable execs into a pod of the chart echo, and forwards a port to it.
func reachable(t *testing.T, c *cluster, kubeconfig, ns, pod string) {
	t.Helper()
	out, err := execIn(t.Context(), c, kubeconfig, ns, pod, "", "/pods", "echo", "said", "within")
	if err != nil || out != "said within\n" {
		t.Errorf("kubectl exec printed %q (%v)", out, err)
	}
	out, err = execIn(t.Context(), c, kubeconfig, ns, pod, "there and back", "/pods", "cat")
	if err != nil || out != "there and back" {
		t.Errorf("kubectl exec with input printed %q (%v)", out, err)
	}
	if out, err := execIn(t.Context(), c, kubeconfig, ns, pod, "", "/bin/sh"); err == nil {
		t.Errorf("there is a shell where there should be none: %q", out)
	}
	out, err = getForwarded(t.Context(), c, kubeconfig, ns, pod, 8080, "/forwarded")
	if err != nil || out != pod+" /forwarded\n" {
		t.Errorf("through a forwarded port the answer is %q (%v)", out, err)
	}
}
