// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/test/bed"
)

// TestServer has ksit server make its certificate, rotate it and the authority
// under load, come back from a death in the middle of that, and repair what was
// edited by mistake.
func TestServer(t *testing.T) {
	w := up(t)
	run, err := w.bed.StartKSIT(t.Context(), w.options("server", own...))
	if err != nil {
		t.Fatal(err)
	}
	w.verified()

	l := w.startLoad(run)
	before := w.secret(authority)
	for n := range 2 {
		served := w.secret(serving)
		w.ask(serving, fmt.Sprint("certificate-", n))
		w.eventually("another certificate is served", func() bool {
			return string(w.secret(serving).Data["tls.crt"]) != string(served.Data["tls.crt"])
		})
		w.ask(authority, fmt.Sprint("authority-", n))
		before = w.rotated(before)
	}
	l.end()

	w.ask(authority, "killed")
	w.eventually("the next authority is announced", func() bool { return len(w.secret(authority).Data["next.crt"]) > 0 })
	run.Process.Kill()
	if err := run.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	before = w.rotated(before)

	patch := []byte(`{"spec":{"caBundle":null}}`)
	if _, err := w.dyn.Resource(apiServices).Patch(t.Context(), "v1alpha1.ksit.io", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually("the bundle of the APIService is repaired", func() bool {
		bundle, err := w.bundle(t.Context())
		return err == nil && string(bundle) == string(before.Data["tls.crt"])
	})
	w.quiet(run.Process)
}

// TestReplicas has an API server and two controller managers, of which the leader
// makes the certificate before anybody serves the API, and is killed in the
// middle of rotations under load.
func TestReplicas(t *testing.T) {
	w := up(t)
	etcd, err := w.bed.StartEtcd(t.Context(), "ksit-etcd")
	if err != nil {
		t.Fatal(err)
	}
	run, err := w.bed.PrepareKSIT(t.Context(), w.options("apiserver", "--etcd-servers="+etcd))
	if err != nil {
		t.Fatal(err)
	}
	managers := map[string]*bed.Process{}
	for n := range 2 {
		name := fmt.Sprint("controller-manager-", n)
		args := append([]string{
			"--serving-secret=" + system + "/" + serving,
			"--leader-elect-lease-duration=5s", "--leader-elect-renew-deadline=3s", "--leader-elect-retry-period=500ms",
		}, own...)
		manager, err := w.bed.ControllerManager(t.Context(), name, w.options("controller-manager", args...))
		if err != nil {
			t.Fatal(err)
		}
		if err := manager.Start(); err != nil {
			t.Fatal(err)
		}
		managers[name] = manager
	}
	if err := run.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.verified()

	l := w.startLoad(run)
	before := w.secret(authority)
	for n := range 3 {
		w.ask(authority, fmt.Sprint("authority-", n))
		w.eventually("the next authority is announced", func() bool { return len(w.secret(authority).Data["next.crt"]) > 0 })
		leader := w.leader(managers)
		leader.Kill()
		before = w.rotated(before)
		if err := leader.Start(); err != nil {
			t.Fatal(err)
		}
	}
	l.end()
	w.quiet(run.Process)
	for _, manager := range managers {
		w.quiet(manager)
	}
}

// leader is the controller manager that holds the Lease.
func (w *world) leader(managers map[string]*bed.Process) *bed.Process {
	w.Helper()
	var leader *bed.Process
	w.eventually("a controller manager leads", func() bool {
		lease, err := w.kube.CoordinationV1().Leases(system).Get(w.Context(), "ksit-controller-manager", metav1.GetOptions{})
		if err != nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
			return false
		}
		for _, manager := range managers {
			log, err := os.ReadFile(manager.LogFile())
			if err == nil && strings.Contains(string(log), fmt.Sprintf("\"This process leads\" identity=%q", *lease.Spec.HolderIdentity)) {
				leader = manager
			}
		}
		return leader != nil
	})
	return leader
}

// quiet fails the test when a process has told a key.
func (w *world) quiet(p *bed.Process) {
	w.Helper()
	log, err := os.ReadFile(p.LogFile())
	if err != nil {
		w.Fatal(err)
	}
	for _, name := range []string{authority, serving} {
		key := strings.Split(string(w.secret(name).Data["tls.key"]), "\n")[1]
		if strings.Contains(string(log), key) || strings.Contains(string(log), "PRIVATE KEY") {
			w.Errorf("%s tells a key", filepath.Base(p.LogFile()))
		}
	}
}
