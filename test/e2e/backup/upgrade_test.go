// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
)

// former is the program of the last release, which hack/former-release.sh builds.
// Where that is not to be had, or nothing that counts has changed since, it is the
// present one: what an upgrade does to what runs is seen all the same.
func former(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("KSIT_FORMER"); path != "" {
		return path
	}
	t.Log("KSIT_FORMER is not set: this version takes the place of the former release")
	return program(t)
}

// installed is where an operator keeps the program: a link that upgrades turn.
type installed struct{ path string }

func install(t *testing.T, binary string) *installed {
	t.Helper()
	i := &installed{filepath.Join(t.TempDir(), "ksit")}
	i.turn(t, binary)
	return i
}

func (i *installed) turn(t *testing.T, binary string) {
	t.Helper()
	binary, err := filepath.Abs(binary)
	must(t, err)
	if err := os.Remove(i.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	must(t, os.Symlink(binary, i.path))
}

// few is a small fleet.
func few() fleet {
	f := fleet{}
	for name, spec := range map[string]string{
		"flux":     known("flux", "one", ""),
		"ranged":   podinfo("one", "1.x", ""),
		"manifest": configMap("one", "manifest", "v", ""),
		"rolling":  podinfo("one", "1.0.0", "  rollout: {maxConcurrent: 1}\n"),
		"slow":     podinfo("one", "1.0.0", ""),
		"watched":  podinfo("one", "1.0.0", "    drift: {mode: Correct}\n"),
	} {
		f[name] = integration(system, name, spec)
	}
	return f
}

// bring has the few installed.
func (w *world) bring(t *testing.T) {
	t.Helper()
	w.register(t, system, "one", w.bed.Targets[0], "")
	w.size = len(few())
	w.kubectl(t, strings.Join(slices.Sorted(maps.Values(few())), "\n"), "apply", "-f", "-")
	w.waitPhases(t, nil)
}

// without leaves out what is in a namespace.
func (v versions) without(namespace string) versions {
	rest := versions{}
	for key, version := range v {
		if !strings.Contains(key, " "+namespace+"/") {
			rest[key] = version
		}
	}
	return rest
}

// TestUpgrade puts this version in the place of the former release, and that back in
// its place: on the same data, in the midst of an upgrade of what is installed. What
// had begun comes to its end; nothing else is touched.
func TestUpgrade(t *testing.T) {
	link := install(t, former(t))
	w := up(t, bed.Options{Targets: 1, Nodes: 1}, bed.KSITOptions{Binary: link.path})
	w.bring(t)
	// The catalogue of charts goes on, and nobody has asked for it.
	must(t, w.bed.Charts.Server.Publish("test", "podinfo-lite", "1.9.0", "1.9.0"))
	before := w.record(t)
	for n, binary := range []string{program(t), former(t)} {
		was := w.revisions(t, "slow")
		w.patch(t, "integration", system, "slow", fmt.Sprintf(`{"spec":{"autoInstall":{"helmConfig":{"values":{"minReadySeconds":"10","message":"round %d"}}}}}`, n))
		w.waitInstallation(t, system, "slow.one", "the upgrade to begin", func(i *v1alpha1.Installation) bool {
			return i.Status.Phase == v1alpha1.PhaseUpgrading && w.revisions(t, "slow") > was
		})
		w.run.Process.Kill()
		link.turn(t, binary)
		began := time.Now()
		w.start(t)
		t.Logf("the API was back %s after the program was replaced", time.Since(began).Round(time.Millisecond))
		w.waitPhases(t, nil)
		before.without("slow").unchanged(t, w.record(t).without("slow"))
		wait(t, "the upgrade to come to its end", func(ctx context.Context) error {
			out, err := w.tryKubectl(ctx, w.bed.Targets[0], "", "get", "configmap", "slow", "-n", "slow", "-o", "jsonpath={.data.message}")
			if err == nil && out != fmt.Sprintf("round %d", n) {
				err = fmt.Errorf("it says %q", out)
			}
			return err
		})
	}
}

// revisions is how many revisions a release has.
func (w *world) revisions(t *testing.T, name string) int {
	t.Helper()
	client, err := w.bed.Targets[0].Client()
	must(t, err)
	list, err := client.CoreV1().Secrets(name).List(t.Context(), metav1.ListOptions{LabelSelector: "owner=helm,name=" + name})
	must(t, err)
	return len(list.Items)
}

// TestSkew has the API server and the controller manager of different versions, as
// they are for the time of a rolling upgrade, in whichever order it comes.
func TestSkew(t *testing.T) {
	api, controllers := install(t, program(t)), install(t, former(t))
	b, err := bed.Up(t.Context(), bed.Options{Targets: 1, Nodes: 1, KeepData: os.Getenv("KSIT_KEEP") != "", Log: os.Stderr})
	must(t, err)
	w := &world{bed: b}
	t.Cleanup(func() { must(t, b.Close()) })
	etcd, err := b.StartEtcd(t.Context(), "ksit-etcd")
	must(t, err)
	w.serve(t, bed.KSITOptions{Binary: api.path, Command: "apiserver", Args: []string{"--etcd-servers=" + etcd, "--rewrites-file=" + b.RewritesFile}})
	manager, err := b.ControllerManager(t.Context(), "controller-manager", bed.KSITOptions{
		Binary: controllers.path, Artifacts: artifacts,
		Args: []string{"--leader-elect-lease-duration=5s", "--leader-elect-renew-deadline=3s", "--leader-elect-retry-period=500ms"},
	})
	must(t, err)
	must(t, manager.Start())
	w.bring(t)
	before := w.record(t)
	change := func(message string) {
		t.Helper()
		w.patch(t, "integration", system, "slow", `{"spec":{"autoInstall":{"helmConfig":{"values":{"message":"`+message+`"}}}}}`)
		w.waitPhases(t, nil)
		before.without("slow").unchanged(t, w.record(t).without("slow"))
	}
	change("a newer API server")

	ctx, cancel := context.WithTimeout(t.Context(), eventually)
	defer cancel()
	must(t, manager.Stop(ctx))
	controllers.turn(t, program(t))
	must(t, manager.Start())
	w.stop(t)
	api.turn(t, former(t))
	w.start(t)
	change("a newer controller manager")
}
