// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/test/bed"
)

// TestMigrate moves a KSIT that has installed something from its embedded etcd to
// one of three members, and back. Nothing is installed anew, and a client that
// watches through the host all the time sees what there is.
func TestMigrate(t *testing.T) {
	w := newWorld(t, 1)
	ctx := t.Context()
	options := bed.KSITOptions{Binary: binary(), Artifacts: artifacts}
	embedded, err := w.StartKSIT(ctx, options)
	must(t, err)
	keepLog(t, embedded.Process)
	must(t, w.RegisterTarget(ctx, namespace, w.Targets[0]))
	host, err := versioned.NewForConfig(w.Host.RESTConfig())
	must(t, err)
	through := &server{name: "the host", config: w.Host.RESTConfig(), ksit: host}
	w.install(t, through, "first")
	w.install(t, through, "second")
	watcher := watch(t, through)
	before := w.state(t, through)

	must(t, embedded.Process.Stop(ctx))
	w.refusals(t, embedded.DataDir)
	w.migrate(t, w.from(embedded.DataDir), w.to())
	external := options
	external.Command, external.Args = "apiserver", append(w.etcd.Flags(), "--rewrites-file="+w.RewritesFile)
	apiserver, err := w.StartKSIT(ctx, external)
	must(t, err)
	keepLog(t, apiserver.Process)
	manager, err := w.ControllerManager(ctx, "controller-manager", options)
	must(t, err)
	must(t, manager.Start())
	keepLog(t, manager)
	w.same(t, through, before)
	w.install(t, through, "third")
	w.watched(t, through, watcher)
	before = w.state(t, through)
	t.Logf("status of the etcd of three members:\n%s", ksit(t, append([]string{"etcd", "status"}, w.etcd.Flags()...)...))
	file := filepath.Join(t.TempDir(), "three.db")
	t.Logf("%s", ksit(t, append([]string{"etcd", "snapshot", "--to=" + file}, w.etcd.Flags()...)...))

	must(t, manager.Stop(ctx))
	must(t, apiserver.Process.Stop(ctx))
	back := append([]string{"--to-data-dir=" + embedded.DataDir}, w.flags("--from-etcd-", "")...)
	if out, err := tryKSIT(t, append([]string{"etcd", "migrate"}, back...)...); err == nil || !strings.Contains(out, "holds an etcd already") {
		t.Fatalf("the data directory with the former etcd was taken: %v\n%s", err, out)
	}
	w.migrate(t, back, []string{"--overwrite"})
	must(t, embedded.Start(ctx))
	w.same(t, through, before)
	w.install(t, through, "fourth")
	w.watched(t, through, watcher)
}

// flags are those for the etcd of three members, by the beginning of their names.
func (w *world) flags(begin, cert string) []string {
	if cert == "" {
		cert = w.etcd.Cert.Cert
	}
	return []string{
		begin + "servers=" + strings.Join(w.etcd.Endpoints(""), ","),
		begin + "cafile=" + w.etcd.Cert.CA, begin + "certfile=" + cert, begin + "keyfile=" + w.etcd.Cert.Key,
	}
}

func (w *world) from(dir string) []string { return []string{"--from-data-dir=" + dir} }

func (w *world) to() []string { return w.flags("--to-etcd-", "") }

func (w *world) migrate(t *testing.T, from, to []string) {
	t.Helper()
	t.Logf("%s", ksit(t, append(append([]string{"etcd", "migrate"}, from...), to...)...))
}

// refusals gets wrong what can be got wrong, each of which fails with a reason and
// leaves everything as it was.
func (w *world) refusals(t *testing.T, dir string) {
	t.Helper()
	migrate := func(args ...[]string) []string {
		all := []string{"etcd", "migrate"}
		for _, some := range args {
			all = append(all, some...)
		}
		return all
	}
	tests := map[string]struct {
		args []string
		want string
	}{
		"no such directory":         {migrate(w.from(dir+"-typo"), w.to()), "is its name right?"},
		"another prefix":            {migrate(w.from(dir), w.to(), []string{"--etcd-prefix=/elsewhere"}), "and the prefix?"},
		"certificate of no use":     {migrate(w.from(dir), w.flags("--to-etcd-", w.etcd.Cert.CA)), "certificate"},
		"no client certificate":     {migrate(w.from(dir), w.to()[:2]), "tls: "},
		"authority of somebody":     {migrate(w.from(dir), append(w.to(), "--to-etcd-cafile="+filepath.Join(w.Dir, "serving-certs", "ca.crt"))), "unknown authority"},
		"nobody there":              {migrate(w.from(dir), append(w.to()[1:], "--to-etcd-servers=https://127.0.0.1:1")), "asking etcd at https://127.0.0.1:1"},
		"snapshot of a wrong name":  {[]string{"etcd", "snapshot", "--data-dir=" + dir + "-typo", "--to=-"}, "is its name right?"},
		"restore of a missing file": {[]string{"etcd", "restore", "--data-dir=" + dir + "-new", "--from=" + dir + ".db"}, "no such file"},
		"restore over data":         {[]string{"etcd", "restore", "--data-dir=" + dir, "--from=" + w.snapshot(t, dir)}, "move"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			out, err := tryKSIT(t, test.args...)
			if err == nil || !strings.Contains(out, test.want) {
				t.Errorf("the answer is %v, want an error with %q:\n%s", err, test.want, out)
			}
			t.Logf("after %s", round(time.Since(start)))
		})
	}
}

// snapshot takes one of a data directory, by standard output.
func (w *world) snapshot(t *testing.T, dir string) (file string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), binary(), "etcd", "snapshot", "--data-dir="+dir, "--to=-")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	content, err := command.Output()
	if err != nil {
		t.Fatalf("taking a snapshot: %v\n%s", err, stderr.String())
	}
	file = filepath.Join(t.TempDir(), "ksit.db")
	must(t, os.WriteFile(file, content, 0o600))
	return file
}

func ksit(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tryKSIT(t, args...)
	if err != nil {
		t.Fatalf("ksit %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func tryKSIT(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventually)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary(), args...).CombinedOutput()
	return string(out), err
}

// install makes an Integration and waits until it runs.
func (w *world) install(t *testing.T, through *server, name string) {
	t.Helper()
	objects, err := bed.ParseObjects([]byte(fmt.Sprintf(`
apiVersion: ksit.io/v1alpha1
kind: Integration
metadata: {name: %s, namespace: %s}
spec:
  type: generic
  targetClusters: [%s]
  autoInstall:
    enabled: true
    timeoutSeconds: 60
    helmConfig: {repository: "https://charts.example.com/test", chart: podinfo-lite, version: "1.0.0"}
`, name, namespace, w.Targets[0].Name)))
	must(t, err)
	must(t, w.Host.ApplyObjects(t.Context(), objects...))
	w.running(t, through, name)
}

func (w *world) running(t *testing.T, through *server, name string) {
	t.Helper()
	wait(t, name+" runs", func(ctx context.Context) error {
		i, err := through.ksit.KsitV1alpha1().Integrations(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if i.Status.Phase != v1alpha1.PhaseRunning {
			return fmt.Errorf("its phase is %s: %s", i.Status.Phase, i.Status.Message)
		}
		return nil
	})
}

// state is what must be the same before and after: who the objects are, and which
// revisions of releases and which Deployments are on the target.
func (w *world) state(t *testing.T, through *server) map[string]string {
	t.Helper()
	state := map[string]string{}
	api := through.ksit.KsitV1alpha1()
	integrations, err := api.Integrations(namespace).List(t.Context(), metav1.ListOptions{})
	must(t, err)
	for _, i := range integrations.Items {
		state["integration "+i.Name] = string(i.UID)
	}
	installations, err := api.Installations(namespace).List(t.Context(), metav1.ListOptions{})
	must(t, err)
	for _, i := range installations.Items {
		state["installation "+i.Name] = string(i.UID)
	}
	client, err := w.Targets[0].Client()
	must(t, err)
	releases, err := client.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{LabelSelector: "owner=helm"})
	must(t, err)
	for _, release := range releases.Items {
		state["release "+release.Name] = string(release.UID)
	}
	deployments, err := client.AppsV1().Deployments("").List(t.Context(), metav1.ListOptions{})
	must(t, err)
	for _, deployment := range deployments.Items {
		state["deployment "+deployment.Namespace+"/"+deployment.Name] = fmt.Sprint(deployment.UID, " of generation ", deployment.Generation)
	}
	return state
}

// same waits until everything runs after a move and the controllers have looked at
// it, and then compares.
func (w *world) same(t *testing.T, through *server, before map[string]string) {
	t.Helper()
	moved := time.Now()
	api := through.ksit.KsitV1alpha1()
	for what := range before {
		name, is := strings.CutPrefix(what, "integration ")
		if !is {
			continue
		}
		// A change that they must see, and which installs nothing.
		patch := fmt.Sprintf(`{"metadata":{"annotations":{"reconcile":%q}}}`, moved.Format(time.RFC3339Nano))
		_, err := api.Integrations(namespace).Patch(t.Context(), name, "application/merge-patch+json", []byte(patch), metav1.PatchOptions{})
		must(t, err)
		wait(t, "the controllers have looked at "+name, func(ctx context.Context) error {
			i, err := api.Installations(namespace).Get(ctx, name+"."+w.Targets[0].Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if got := i.Status.LastReconcileRequest; got != moved.Format(time.RFC3339Nano) {
				return fmt.Errorf("the last request that they saw is %q", got)
			}
			return nil
		})
		w.running(t, through, name)
	}
	if diff := cmp.Diff(before, w.state(t, through)); diff != "" {
		t.Errorf("after the move (-before +after):\n%s", diff)
	}
}

// watched has a watch that was begun before see what is there now.
func (w *world) watched(t *testing.T, through *server, watcher *watcher) {
	t.Helper()
	name := fmt.Sprintf("seen-%d", time.Now().UnixNano())
	_, err := through.ksit.KsitV1alpha1().IntegrationTargets(namespace).Create(t.Context(), target(name), metav1.CreateOptions{})
	must(t, err)
	took := wait(t, "the watch goes on", func(context.Context) error { return watcher.lacks(map[string]bool{name: true}) })
	t.Logf("a watch from before the move saw a new object after %s", round(took))
	must(t, through.ksit.KsitV1alpha1().IntegrationTargets(namespace).Delete(t.Context(), name, metav1.DeleteOptions{}))
}

// TestRestore takes a snapshot while objects are made and restores it into a new
// data directory: what was acknowledged before it was begun is there, and a watch
// from before goes on.
func TestRestore(t *testing.T) {
	w := newWorld(t, 0)
	ctx := t.Context()
	k, err := w.StartKSIT(ctx, bed.KSITOptions{Binary: binary(), Artifacts: artifacts})
	must(t, err)
	keepLog(t, k.Process)
	server := w.server(t, k, k.URL)
	watcher := watch(t, server)
	writer := newWriter(server)
	writing, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { writer.run(writing) })
	t.Cleanup(func() { stop(); done.Wait() })
	more := func(n int) {
		wait(t, "there are more objects", func(context.Context) error {
			if got := len(writer.names()); got < n {
				return fmt.Errorf("there are %d, not %d", got, n)
			}
			return nil
		})
	}
	more(20)
	before := writer.names()
	file := w.snapshot(t, k.DataDir)
	more(len(before) + 20)
	stop()
	done.Wait()
	after := writer.names()
	wait(t, "the watch sees all", func(context.Context) error { return watcher.lacks(after) })

	must(t, k.Process.Stop(ctx))
	must(t, os.Rename(filepath.Join(k.DataDir, "member"), filepath.Join(k.DataDir, "member.lost")))
	t.Logf("%s", ksit(t, "etcd", "restore", "--from="+file, "--data-dir="+k.DataDir))
	must(t, k.Start(ctx))
	list, err := server.ksit.KsitV1alpha1().IntegrationTargets(namespace).List(ctx, metav1.ListOptions{})
	must(t, err)
	present := map[string]bool{}
	for _, item := range list.Items {
		present[item.Name] = true
	}
	for name := range before {
		if !present[name] {
			t.Errorf("%s was acknowledged before the snapshot, and is not restored", name)
		}
	}
	t.Logf("%d of %d objects were restored, of which %d were acknowledged before the snapshot", len(present), len(after), len(before))
	w.watched(t, server, watcher)
	w.restoreElsewhere(t, file, present)
}

// restoreElsewhere brings the snapshot into the etcd of three members.
func (w *world) restoreElsewhere(t *testing.T, file string, present map[string]bool) {
	t.Helper()
	t.Logf("%s", ksit(t, append([]string{"etcd", "migrate", "--from-snapshot=" + file}, w.to()...)...))
	out := ksit(t, append([]string{"etcd", "status"}, w.etcd.Flags()...)...)
	t.Logf("%s", out)
	if want := fmt.Sprintf("integrationtargets  %d", len(present)); !strings.Contains(out, want) {
		t.Errorf("the status lacks %q", want)
	}
}
