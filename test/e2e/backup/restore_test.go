// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
	"ksit.io/ksit/test/e2e/internal/guide"
)

// page is docs/backup.md, with a shell in which its commands are run.
type page struct {
	guide.Guide
	// dataDir is that of KSIT, for which the page has /var/lib/ksit.
	dir, dataDir string
	env          []string
}

func (w *world) page(t *testing.T) *page {
	t.Helper()
	g, err := guide.Read("../../../docs/backup.md")
	must(t, err)
	programs := t.TempDir()
	must(t, os.Symlink(w.bed.Tools.Kubectl, filepath.Join(programs, "kubectl")))
	must(t, os.Symlink(program(t), filepath.Join(programs, "ksit")))
	return &page{Guide: g, dir: t.TempDir(), dataDir: w.run.DataDir, env: []string{
		"PATH=" + programs + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + t.TempDir(), "KUBECONFIG=" + w.bed.Host.Kubeconfig,
	}}
}

// try runs all commands of a section, and returns what they print.
func (p *page) try(t *testing.T, section string) (string, error) {
	t.Helper()
	commands, err := p.Commands(section)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), eventually)
	defer cancel()
	script := strings.ReplaceAll("set -e\n"+strings.Join(commands, "\n"), "/var/lib/ksit", p.dataDir)
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Dir, cmd.Env = p.dir, p.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (p *page) run(t *testing.T, section string) string {
	t.Helper()
	out, err := p.try(t, section)
	if err != nil {
		t.Fatalf("%s: %v\n%s", section, err, out)
	}
	return out
}

// TestBackup loses the data of a KSIT with 100 Integrations in every way there is,
// and gets it back by the commands of docs/backup.md. What runs on the targets is
// not touched by any of it.
func TestBackup(t *testing.T) {
	w := up(t, bed.Options{Targets: 2, Nodes: 1, PrometheusOperator: true}, bed.KSITOptions{Binary: program(t), Args: []string{"--workers=20"}})
	w.settle(t, newFleet())
	docs := w.page(t)
	// In an hour it would be looked for: the range must not follow it by itself.
	must(t, w.bed.Charts.Server.Publish("test", "podinfo-lite", "1.9.0", "1.9.0"))
	before := w.record(t)
	t.Logf("%d objects on the targets", len(before))
	docs.run(t, "Make a backup")

	t.Run("nothing is lost", func(t *testing.T) {
		specs := w.generations(t)
		out, err := docs.try(t, "Restore into an empty KSIT")
		if err != nil && !onlyConflicts(out) {
			t.Errorf("%v\n%s", err, out)
		}
		t.Logf("%d objects were written since the backup, and left alone", strings.Count(out, "the object has been modified"))
		docs.run(t, "Restore what is missing")
		if now := w.generations(t); now != specs {
			t.Errorf("specs have changed: from\n%s\nto\n%s", specs, now)
		}
		before.unchanged(t, w.record(t))
	})
	t.Run("all is lost", func(t *testing.T) {
		w.lose(t)
		began := time.Now()
		if out := docs.run(t, "Restore into an empty KSIT"); strings.Count(out, "created") < fleetSize {
			t.Errorf("restored:\n%s", out)
		}
		w.waitRestored(t)
		t.Logf("restored by one command: all is Running again after %s", time.Since(began).Round(100*time.Millisecond))
		before.unchanged(t, w.record(t))
	})
	t.Run("a part is lost", func(t *testing.T) {
		w.forget(t, "integrations/"+teamB, "installations/"+teamB, "integrationtargets/"+teamB)
		docs.run(t, "Restore what is missing")
		w.waitRestored(t)
		before.unchanged(t, w.record(t))
	})
	t.Run("the host is lost", func(t *testing.T) {
		docs.run(t, "Move to another host")
		w.loseHost(t)
		docs.run(t, "Restore on the other host")
		w.waitRestored(t)
		before.unchanged(t, w.record(t))
	})
	t.Run("snapshots", func(t *testing.T) { w.testSnapshots(t, docs, before) })
}

// waitRestored waits until everything is as it was, and what was rolled back stays
// so. Of the one on a target that is suspended nobody can know any more.
func (w *world) waitRestored(t *testing.T) {
	t.Helper()
	w.waitPhases(t, map[string]v1alpha1.Phase{
		teamA + "/disabled": v1alpha1.PhaseDisabled, teamA + "/sleeping": v1alpha1.PhasePending,
		teamA + "/robbed": v1alpha1.PhaseDegraded,
	})
	for _, name := range []string{"held.one", "held-manifest.two"} {
		w.waitInstallation(t, teamA, name, "the rollback", func(i *v1alpha1.Installation) bool {
			return i.Status.Hold != nil && i.Status.Hold.RequestedBy != "" && i.Status.Phase == v1alpha1.PhaseRunning
		})
	}
	w.waitInstallation(t, teamA, "adopted.two", "the adoption", func(i *v1alpha1.Installation) bool {
		return len(i.Status.Releases) == 1 && i.Status.Releases[0].Adopted
	})
}

// lose stops KSIT, and starts it on nothing.
func (w *world) lose(t *testing.T) {
	t.Helper()
	w.stop(t)
	must(t, os.RemoveAll(w.run.DataDir))
	w.start(t)
	if list, err := w.ksit.KsitV1alpha1().Integrations("").List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) != 0 {
		t.Fatalf("KSIT is not empty: %v", err)
	}
}

// loseHost loses what the host has of the fleet as well: its namespaces with all
// Secrets. Without the APIService, or they would not go.
func (w *world) loseHost(t *testing.T) {
	t.Helper()
	w.stop(t)
	must(t, os.RemoveAll(w.run.DataDir))
	w.kubectl(t, "", "delete", "apiservice", "v1alpha1.ksit.io")
	w.kubectl(t, "", "delete", "namespace", teamA, teamB, "--timeout=120s")
	for _, name := range []string{"one", "two", "asleep"} {
		w.kubectl(t, "", "delete", "secret", name+"-kubeconfig", "-n", system)
	}
	w.start(t)
}

// generations names all Integrations and targets with their generations.
func (w *world) generations(t *testing.T) string {
	t.Helper()
	return w.kubectl(t, "", "get", "integrations,integrationtargets", "-A", "-o",
		`jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} {.metadata.generation} {.metadata.uid}{"\n"}{end}`)
}

// onlyConflicts tells whether all that kubectl apply complained about is that
// objects were written since.
func onlyConflicts(out string) bool {
	for line := range strings.Lines(out) {
		fine := strings.Contains(line, "configured") || strings.Contains(line, "unchanged") ||
			strings.HasPrefix(line, "Warning:") || strings.Contains(line, "the object has been modified")
		if strings.TrimSpace(line) != "" && !fine {
			return false
		}
	}
	return true
}

// testSnapshots restores a snapshot at once, and once more when one Integration has
// come, one has gone, and one was upgraded since. KSIT installs what it knows and
// misses, and leaves alone what it does not know.
func (w *world) testSnapshots(t *testing.T, docs *page, before versions) {
	docs.run(t, "Take a snapshot of etcd")
	restore := func() {
		t.Helper()
		w.stop(t)
		docs.run(t, "Restore a snapshot of etcd")
		must(t, os.RemoveAll(w.run.DataDir+"-member.old"))
		w.start(t)
	}
	operations := func() string {
		i, err := w.ksit.KsitV1alpha1().Installations(teamB).Get(t.Context(), "app-02.one", metav1.GetOptions{})
		must(t, err)
		return fmt.Sprintf("%s %+v", i.UID, i.Status.Operations)
	}
	knew, began := operations(), time.Now()
	restore()
	w.waitRestored(t)
	t.Logf("restored from a snapshot of etcd: all is Running again after %s", time.Since(began).Round(100*time.Millisecond))
	before.unchanged(t, w.record(t))
	if knows := operations(); knows != knew {
		t.Errorf("of an Installation it knew %s, and knows %s", knew, knows)
	}

	w.patch(t, "integration", teamB, "app-02", `{"spec":{"autoInstall":{"helmConfig":{"version":"1.1.0"}}}}`)
	w.kubectl(t, integration(teamB, "later", podinfo("one", "1.0.0", "")), "apply", "-f", "-")
	w.kubectl(t, "", "delete", "integration", "app-00", "-n", teamB, "--timeout=120s")
	w.waitRestored(t)
	began = time.Now().Add(-time.Second)
	restore()
	w.waitRestored(t)
	w.waitInstallation(t, teamB, "app-00.one", "what was deleted since to be installed again", func(i *v1alpha1.Installation) bool {
		last := i.Status.LastOperation
		return i.Status.Phase == v1alpha1.PhaseRunning && last.Outcome == v1alpha1.OperationSucceeded && last.StartedAt.After(began)
	})
	if _, err := w.ksit.KsitV1alpha1().Integrations(teamB).Get(t.Context(), "later", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the copy has what came later: %v", err)
	}
	if out, err := w.tryKubectl(t.Context(), w.bed.Targets[0], "", "get", "deployment", "later", "-n", "later"); err != nil {
		t.Errorf("what came later is not on the target any more: %s", out)
	}
	chart := func() string {
		out, err := w.tryKubectl(t.Context(), w.bed.Targets[0], "", "get", "configmap", "app-02", "-n", "app-02", "-o", "jsonpath={.data.version}")
		must(t, err)
		return out
	}
	if version := chart(); version != "1.1.0" {
		t.Errorf("what was upgraded since is at %s", version)
	}
	// They are known again as soon as somebody says so.
	was := w.record(t)
	w.patch(t, "integration", teamB, "app-02", `{"spec":{"autoInstall":{"helmConfig":{"version":"1.1.0"}}}}`)
	w.waitInstallation(t, teamB, "app-02.one", "the upgrade to be known again", func(i *v1alpha1.Installation) bool {
		return i.Status.Phase == v1alpha1.PhaseRunning && i.Status.ObservedGeneration == i.Generation && i.Status.Releases[0].Version == "1.1.0"
	})
	w.kubectl(t, integration(teamB, "later", podinfo("one", "1.0.0", "")), "apply", "-f", "-")
	w.waitInstallation(t, teamB, "later.one", "it to be known again", func(i *v1alpha1.Installation) bool {
		return i.Status.Phase == v1alpha1.PhaseRunning && len(i.Status.Releases) == 1 && !i.Status.Releases[0].Adopted
	})
	was.unchanged(t, w.record(t))
}
