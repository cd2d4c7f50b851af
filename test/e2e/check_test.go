// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// check runs ksit check against the host and returns what it reports.
func check(t *testing.T, kubeconfig string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventually)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Getenv("KSIT"), append([]string{"check", "--kubeconfig", kubeconfig}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// TestCheck asks the cluster whether KSIT works, while it does, while it does not,
// and as somebody who may not ask.
func TestCheck(t *testing.T) {
	ns := namespace(t)
	admin := s.bed.Host.Kubeconfig
	out, err := check(t, admin, "--namespace", ns)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"✓ The APIService v1alpha1.ksit.io is Available",
		"✓ The cluster serves ksit.io/v1alpha1: installations, integrations, integrationtargets",
		"✓ Integrations can be listed in the namespace " + ns + ": there are 0",
		"✓ An Integration would be accepted in the namespace " + ns,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in:\n%s", want, out)
		}
	}
	list, err := s.ksit.KsitV1alpha1().Integrations(ns).List(t.Context(), metav1.ListOptions{})
	must(t, err)
	if len(list.Items) > 0 {
		t.Errorf("the dry run left %d Integrations", len(list.Items))
	}
	failed(t, admin, "✗ An Integration would not be accepted in the namespace not-there", "--namespace=not-there", "--timeout=2s")

	content, err := s.bed.Host.UserKubeconfig("nobody")
	must(t, err)
	nobody := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, os.WriteFile(nobody, content, 0o600))
	failed(t, nobody, "rights of who asks", "--namespace", ns)

	must(t, s.run.Process.Stop(t.Context()))
	defer s.restart(t)
	// The aggregator finds out when it looks the next time.
	if !poll(t.Context(), eventually, func(context.Context) bool {
		out, err = check(t, admin, "--namespace", ns, "--timeout=1s")
		return err != nil && strings.Contains(out, "✗ The APIService v1alpha1.ksit.io is not Available: FailedDiscoveryCheck")
	}) {
		t.Errorf("while KSIT is stopped: %v\n%s", err, out)
	}
	if !strings.Contains(out, "firewalls") && !strings.Contains(out, "kubectl logs") {
		t.Errorf("no advice:\n%s", out)
	}
}

// failed expects ksit check to fail with some words, and soon.
func failed(t *testing.T, kubeconfig, want string, args ...string) {
	t.Helper()
	start := time.Now()
	out, err := check(t, kubeconfig, args...)
	if err == nil || !strings.Contains(out, want) || strings.Contains(out, "Usage:") {
		t.Errorf("ksit check %q: %v, want %q in:\n%s", args, err, want, out)
	}
	t.Logf("it took %s:\n%s", time.Since(start).Round(time.Millisecond), out)
}
