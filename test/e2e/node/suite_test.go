// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package node tests KSIT as operators run it: its image, as real pods of the host
// cluster on a real node, installed by its chart.
package node

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/test/bed"
	"ksit.io/ksit/test/e2e/internal/poll"
)

const (
	namespace = "ksit-system"
	// eventually bounds what should happen soon on a machine that may be busy.
	eventually = 3 * time.Minute
)

// cluster is a host with a real node, and what an operator has beside it.
type cluster struct {
	*bed.Bed
	world world
	kube  kubernetes.Interface
	ksit  versioned.Interface
}

// up brings up a bed with a real node that has KSIT's image, under the name and the
// versions that the registry has it. It skips the test where no real node can run.
func up(t *testing.T, options bed.Options) *cluster {
	t.Helper()
	archive, image := os.Getenv("KSIT_IMAGE_ARCHIVE"), os.Getenv("KSIT_IMAGE")
	if archive == "" || image == "" {
		t.Skip("KSIT_IMAGE_ARCHIVE and KSIT_IMAGE must be the image and its name: run make test-node")
	}
	if err := bed.NodeUnavailable(); err != nil {
		t.Skipf("SKIPPED, KSIT as pods is not tested: a real node cannot run here: %v", err)
	}
	options.RealNode, options.KeepData, options.Log = true, os.Getenv("KSIT_KEEP") != "", t.Output()
	b, err := bed.Up(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{Bed: b}
	t.Cleanup(func() {
		if t.Failed() {
			describe(t, c)
		}
		if err := b.Close(); err != nil {
			t.Errorf("closing the bed: %v", err)
		}
	})
	c.world = openRegistry(t, b)
	if c.kube, err = b.Host.Client(); err != nil {
		t.Fatal(err)
	}
	if c.ksit, err = versioned.NewForConfig(b.Host.RESTConfig()); err != nil {
		t.Fatal(err)
	}
	if err := b.Node.LoadImage(t.Context(), archive); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{first, second} {
		if err := b.Node.TagImage(t.Context(), image, imageName(tag)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// step is a part of a test.
type step struct {
	name string
	run  func(*testing.T, *cluster)
}

// inOrder runs steps that build on what those before them have left, until one fails.
func inOrder(t *testing.T, c *cluster, steps []step) {
	t.Helper()
	for _, step := range steps {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, c) }) {
			return
		}
	}
}

// kubectl runs kubectl as an administrator of the host and fails the test when it
// fails.
func kubectl(t *testing.T, c *cluster, args ...string) string {
	t.Helper()
	out, err := tryKubectl(t.Context(), c, c.Host.Kubeconfig, "", args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// tryKubectl runs kubectl with any kubeconfig and returns all that it printed.
func tryKubectl(ctx context.Context, c *cluster, kubeconfig, stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, eventually)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Tools.Kubectl, append([]string{"--kubeconfig", kubeconfig}, args...)...)
	cmd.Env = environment()
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// environment keeps kubectl away from the proxies of the outside world: the host's
// address is not a loopback one.
func environment() []string { return append(os.Environ(), "NO_PROXY=*", "no_proxy=*") }

// wait polls until check returns nil.
func wait(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	if err := poll.Until(t.Context(), eventually, check); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// waitPhase waits until an Integration has a phase, for its present spec.
func waitPhase(t *testing.T, c *cluster, ns, name string, phase v1alpha1.Phase) {
	t.Helper()
	wait(t, fmt.Sprintf("Integration %s/%s does not become %s", ns, name, phase), func(ctx context.Context) error {
		o, err := c.ksit.KsitV1alpha1().Integrations(ns).Get(ctx, name, metav1.GetOptions{})
		if err == nil && (o.Status.Phase != phase || o.Status.ObservedGeneration != o.Generation) {
			err = fmt.Errorf("it is %q: %s", o.Status.Phase, o.Status.Message)
		}
		return err
	})
}

// describe prints what one would look at when something went wrong.
func describe(t *testing.T, c *cluster) {
	for _, args := range [][]string{
		{"get", "nodes,pods,deployments,statefulsets,persistentvolumeclaims,leases,endpointslices", "-A", "-o", "wide"},
		{"get", "events", "-A", "--sort-by=.lastTimestamp"},
		{"get", "apiservice", "v1alpha1.ksit.io", "-o", "yaml"},
		{"get", "integrations,integrationtargets,installations", "-A", "-o", "wide"},
		{"logs", "-l", "app.kubernetes.io/name=ksit", "-n", namespace, "--tail=60", "--prefix", "--max-log-requests=10"},
		{"logs", "-l", "app.kubernetes.io/name=ksit", "-n", namespace, "--tail=40", "--prefix", "--max-log-requests=10", "--previous"},
	} {
		out, _ := tryKubectl(context.Background(), c, c.Host.Kubeconfig, "", args...)
		t.Logf("kubectl %s\n%s", strings.Join(args, " "), out)
	}
}
