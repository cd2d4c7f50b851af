// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package backup loses KSIT's data and its program, and sees that what runs on the
// targets does not notice: restores from backups, and upgrades of KSIT itself.
package backup

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/test/bed"
	"ksit.io/ksit/test/e2e/internal/poll"
)

const (
	// artifacts is the directory of the manifests that a host cluster gets.
	artifacts = "../../../artifacts/deploy"
	// eventually bounds what should happen soon on a machine that may be busy.
	eventually = 4 * time.Minute
)

// world is a bed for one test, with KSIT on it.
type world struct {
	bed  *bed.Bed
	run  *bed.KSIT
	ksit versioned.Interface
	// size is how many Integrations there are.
	size int
}

// program is the path of the program ksit.
func program(t *testing.T) string {
	t.Helper()
	binary := os.Getenv("KSIT")
	if binary == "" {
		t.Fatal("KSIT must be the path of the binary: run make test-e2e")
	}
	return binary
}

// up brings up a bed, and starts KSIT on it.
func up(t *testing.T, options bed.Options, ksit bed.KSITOptions) *world {
	t.Helper()
	options.KeepData, options.Log = os.Getenv("KSIT_KEEP") != "", os.Stderr
	b, err := bed.Up(t.Context(), options)
	must(t, err)
	w := &world{bed: b}
	t.Cleanup(func() {
		if t.Failed() && w.run != nil {
			t.Logf("the end of KSIT's log:\n%s", w.run.Process.LogTail(150))
		}
		if err := b.Close(); err != nil {
			t.Errorf("closing the bed: %v", err)
		}
	})
	w.serve(t, ksit)
	return w
}

// serve starts KSIT.
func (w *world) serve(t *testing.T, ksit bed.KSITOptions) {
	t.Helper()
	ksit.Artifacts = artifacts
	var err error
	w.run, err = w.bed.StartKSIT(t.Context(), ksit)
	must(t, err)
	w.ksit, err = versioned.NewForConfig(w.bed.Host.RESTConfig())
	must(t, err)
}

// stop stops KSIT as an operator does.
func (w *world) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventually)
	defer cancel()
	must(t, w.run.Process.Stop(ctx))
}

// start starts what stop stopped.
func (w *world) start(t *testing.T) {
	t.Helper()
	must(t, w.run.Start(t.Context()))
}

// kubectl runs kubectl as an administrator of the host and fails the test when it
// fails.
func (w *world) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := w.tryKubectl(t.Context(), w.bed.Host, stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// tryKubectl runs kubectl on any cluster and returns all that it printed.
func (w *world) tryKubectl(ctx context.Context, cluster *bed.Cluster, stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, eventually)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.bed.Tools.Kubectl, append([]string{"--kubeconfig", cluster.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// wait polls until check returns nil.
func wait(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	if err := poll.Until(t.Context(), eventually, check); err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// register makes a namespace's Secret and IntegrationTarget as the brief does, with
// labels for selectors.
func (w *world) register(t *testing.T, namespace, name string, target *bed.Cluster, labels string) {
	t.Helper()
	w.kubectl(t, "", "create", "secret", "generic", name+"-kubeconfig", "--from-file=kubeconfig="+target.Kubeconfig, "-n", namespace)
	w.kubectl(t, fmt.Sprintf(`
apiVersion: ksit.io/v1alpha1
kind: IntegrationTarget
metadata: {name: %[1]s, namespace: %[2]s, labels: {%[3]s}}
spec: {clusterName: %[1]s, kubeconfigSecret: %[1]s-kubeconfig}
`, name, namespace, labels), "apply", "-f", "-")
}
