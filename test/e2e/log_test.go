// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestLog has each operation in the log in one line, whatever became of it, and
// finds them by the commands of the user's own document.
func TestLog(t *testing.T) {
	ns := namespace(t, "one")
	alice := userOf(t, ns, "alice", "edit")
	installations := s.ksit.KsitV1alpha1().Installations(ns)
	kubectl(t, generic(ns, "logged", "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "logged", v1alpha1.PhaseRunning)
	kubectl(t, generic(ns, "spoiled", "bad-template", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "spoiled", v1alpha1.PhaseFailed)
	patch(t, ns, "logged", `{"spec":{"autoInstall":{"helmConfig":{"version":"1.1.0"}}}}`)
	waitInstallation(t, ns, "logged.one", "the upgrade", func(i *v1alpha1.Installation) bool {
		return i.Status.Phase == v1alpha1.PhaseRunning && versionOf(i) == "1.1.0"
	})
	back := rollBack(t, alice, ns, "logged.one", v1alpha1.RollbackRequestSpec{})
	done := func(id string) func(*v1alpha1.Installation) bool {
		return func(i *v1alpha1.Installation) bool {
			return i.Status.LastRequest == id && i.Status.LastOperation.Outcome == v1alpha1.OperationSucceeded && i.Status.Phase == v1alpha1.PhaseRunning
		}
	}
	waitInstallation(t, ns, "logged.one", "the rollback", done(back.Status.ID))
	again, err := alice.KsitV1alpha1().Installations(ns).Reconcile(t.Context(), "logged.one", &v1alpha1.ReconcileRequest{}, metav1.CreateOptions{})
	must(t, err)
	waitInstallation(t, ns, "logged.one", "the reconcile", done(again.Status.ID))

	want := map[string]int{"Uninstall Succeeded": 2}
	for _, name := range []string{"logged.one", "spoiled.one"} {
		i, err := installations.Get(t.Context(), name, metav1.GetOptions{})
		must(t, err)
		for _, o := range i.Status.Operations {
			want[string(o.Type)+" "+string(o.Outcome)]++
		}
	}
	t.Run("tick", func(t *testing.T) {
		wantGrep(t, "✅", "Upgrade succeeded", `requestedBy="alice"`, `integration="logged"`)
	})
	t.Run("ERROR", func(t *testing.T) {
		wantGrep(t, "ERROR", "Install failed", "Integration is Failed", `integration="spoiled"`, `reason="RenderFailed"`)
	})
	kubectl(t, "", "delete", "integration", "logged", "spoiled", "-n", ns, "--timeout=120s")

	t.Run("one line for each operation", func(t *testing.T) {
		var got map[string]int
		if !poll(t.Context(), eventually, func(context.Context) bool {
			got = operationsLogged(t, ns)
			return got["Uninstall Succeeded"] == want["Uninstall Succeeded"]
		}) || !maps.Equal(got, want) {
			t.Errorf("the log has %v, status had %v", got, want)
		}
	})
	t.Run("the fleet", func(t *testing.T) {
		if !poll(t.Context(), eventually, func(context.Context) bool { return strings.Contains(readKSITLog(t), "Fleet: ") }) {
			t.Error("no line tells how all are")
		}
	})
	t.Run("requests are quiet", func(t *testing.T) {
		for _, noise := range []string{`"HTTP" verb=`, "httplog.go"} {
			if strings.Contains(readKSITLog(t), noise) {
				t.Errorf("requests are logged at v=0: %s", noise)
			}
		}
	})
}

// wantGrep runs the command of the user's document on what a pod of KSIT would have
// said, and wants lines with all the parts.
func wantGrep(t *testing.T, word string, parts ...string) {
	t.Helper()
	var out []byte
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		out, _ = exec.CommandContext(ctx, "sh", "-c", `tail -n 100 "$1" | grep "$2"`, "sh", s.run.Process.LogFile(), word).Output()
		for _, part := range parts {
			if !strings.Contains(string(out), part) {
				return false
			}
		}
		return true
	}) {
		t.Errorf("grep %s does not find all of %q:\n%s", word, parts, out)
	}
}

var ended = regexp.MustCompile(` operation="(\w+)" outcome="(\w+)" .* namespace="([^"]+)"`)

// operationsLogged counts the lines of operations of a namespace.
func operationsLogged(t *testing.T, ns string) map[string]int {
	t.Helper()
	count := map[string]int{}
	for line := range strings.Lines(readKSITLog(t)) {
		if found := ended.FindStringSubmatch(line); found != nil && found[3] == ns {
			count[found[1]+" "+found[2]]++
		}
	}
	return count
}

func readKSITLog(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(s.run.Process.LogFile())
	must(t, err)
	return string(data)
}
