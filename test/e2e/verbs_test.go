// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestVerbs does with the three kinds what people do with kubectl, through the
// aggregation layer of a real kube-apiserver.
func TestVerbs(t *testing.T) {
	ns := namespace(t, "one")
	manifest := generic(ns, "app", "podinfo-lite", "1.0.0", []string{"one"}, "")

	t.Run("server-side apply", func(t *testing.T) {
		kubectl(t, manifest, "apply", "--server-side", "--field-manager=me", "-f", "-")
		waitPhase(t, ns, "app", v1alpha1.PhaseRunning)
		out := kubectl(t, "", "get", "integration", "app", "-n", ns, "-o", "yaml", "--show-managed-fields")
		if !strings.Contains(out, "manager: me") {
			t.Errorf("no managed fields:\n%s", out)
		}
		other := strings.Replace(manifest, `"1.0.0"`, `"1.1.0"`, 1)
		if out, err := tryKubectl(t.Context(), s.bed.Host.Kubeconfig, other, "apply", "--server-side", "--field-manager=you", "-f", "-"); err == nil || !strings.Contains(out, "conflict") {
			t.Errorf("another manager took the field without a conflict: %s", out)
		}
	})
	for _, kind := range []string{"integrations", "integrationtargets", "installations"} {
		t.Run(kind, func(t *testing.T) {
			name := strings.TrimSpace(kubectl(t, "", "get", kind, "-n", ns, "-o", "name"))
			for _, output := range []string{"", "wide", "yaml", "json"} {
				if out := kubectl(t, "", "get", name, "-n", ns, "-o", output); !strings.Contains(out, "one") && !strings.Contains(out, "app") {
					t.Errorf("get -o %q: %s", output, out)
				}
			}
			if out := kubectl(t, "", "describe", name, "-n", ns); !strings.Contains(out, "Status:") {
				t.Errorf("describe: %s", out)
			}
			out := kubectl(t, "", "explain", kind+".status.conditions")
			if !strings.Contains(out, "DESCRIPTION") || strings.Contains(out, "<empty>") {
				t.Errorf("explain: %s", out)
			}
			kubectl(t, "", "wait", name, "-n", ns, "--for=condition=Ready", "--timeout=60s")
			if out := kubectl(t, "", "get", kind, "-n", ns, "--watch", "--request-timeout=2s", "--output-watch-events"); !strings.Contains(out, "ADDED") {
				t.Errorf("watch: %s", out)
			}
		})
	}
	t.Run("watch sees a change", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), s.bed.Tools.Kubectl, "--kubeconfig", s.bed.Host.Kubeconfig, "get", "intg", "app", "-n", ns, "-w", "-o", "jsonpath={.metadata.labels.seen}{'\\n'}")
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
		lines := bufio.NewScanner(pipe)
		lines.Scan()
		kubectl(t, "", "label", "intg", "app", "-n", ns, "seen=yes")
		timer := time.AfterFunc(eventually, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		for lines.Scan() {
			if lines.Text() == "yes" {
				return
			}
		}
		t.Error("the watch ended without the change")
	})
	t.Run("edit", func(t *testing.T) {
		editor := filepath.Join(t.TempDir(), "editor.sh")
		if err := os.WriteFile(editor, []byte("#!/bin/sh\nsed -i 's/version: 1.0.0/version: 1.1.0/' \"$1\"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("KUBE_EDITOR", editor)
		if out := kubectl(t, "", "edit", "integration", "app", "-n", ns); !strings.Contains(out, "edited") {
			t.Errorf("edit: %s", out)
		}
		if i := waitPhase(t, ns, "app", v1alpha1.PhaseRunning); i.Status.Version != "1.1.0" {
			t.Errorf("version after the edit is %s", i.Status.Version)
		}
	})
	t.Run("a status writer cannot change the spec", func(t *testing.T) {
		i, err := s.ksit.KsitV1alpha1().Integrations(ns).Get(t.Context(), "app", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		i.Spec.AutoInstall.HelmConfig.Version = "2.0.0"
		updated, err := s.ksit.KsitV1alpha1().Integrations(ns).UpdateStatus(t.Context(), i, metav1.UpdateOptions{})
		if err == nil && updated.Spec.AutoInstall.HelmConfig.Version != "1.1.0" {
			t.Errorf("the version became %s", updated.Spec.AutoInstall.HelmConfig.Version)
		}
	})
	t.Run("delete in the foreground", func(t *testing.T) {
		kubectl(t, "", "delete", "integration", "app", "-n", ns, "--cascade=foreground", "--timeout=100s")
		if out := kubectl(t, "", "get", "installations", "-n", ns, "-o", "name"); strings.TrimSpace(out) != "" {
			t.Errorf("left: %s", out)
		}
	})
}

// TestQuota has the host cluster's ResourceQuota bound the number of objects.
func TestQuota(t *testing.T) {
	ns := namespace(t)
	kubectl(t, "", "create", "quota", "few", "-n", ns, "--hard=count/integrations.ksit.io=1")
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		out, err := tryKubectl(ctx, s.bed.Host.Kubeconfig, "", "get", "quota", "few", "-n", ns, "-o", "jsonpath={.status.hard}")
		return err == nil && strings.Contains(out, "integrations")
	}) {
		t.Fatal("the quota is not counted")
	}
	kubectl(t, generic(ns, "one", "podinfo-lite", "1.0.0", []string{"none"}, ""), "apply", "-f", "-")
	refused(t, generic(ns, "two", "podinfo-lite", "1.0.0", []string{"none"}, ""), "exceeded quota")
}
