// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package node tests KSIT as operators run it: its image, as real pods of the host
// cluster on a real node, by the manifests of artifacts.
package node

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ksit.io/ksit/test/bed"
)

const (
	// artifacts is the directory of the manifests that a host cluster gets.
	artifacts = "../../../artifacts/deploy"
	namespace = "ksit-system"
	// eventually bounds what should happen soon on a machine that may be busy.
	eventually = 3 * time.Minute
)

// up brings up a bed with a real node, and KSIT on it as a pod. It skips the test
// where no real node can run.
func up(t *testing.T) *bed.Bed {
	t.Helper()
	archive, image := os.Getenv("KSIT_IMAGE_ARCHIVE"), os.Getenv("KSIT_IMAGE")
	if archive == "" || image == "" {
		t.Skip("KSIT_IMAGE_ARCHIVE and KSIT_IMAGE must be the image and its name: run make test-node")
	}
	if err := bed.NodeUnavailable(); err != nil {
		t.Skipf("a real node cannot run here: %v", err)
	}
	b, err := bed.Up(t.Context(), bed.Options{RealNode: true, KeepData: os.Getenv("KSIT_KEEP") != "", Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			describe(t, b)
		}
		if err := b.Close(); err != nil {
			t.Errorf("closing the bed: %v", err)
		}
	})
	if err := b.Node.LoadImage(t.Context(), archive); err != nil {
		t.Fatal(err)
	}
	install(t, b, image)
	return b
}

// install applies the manifests as they are, but for what an operator fills in: the
// name of the image, the certificate and its authority.
func install(t *testing.T, b *bed.Bed, image string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(artifacts, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests in %s (%v)", artifacts, err)
	}
	cert, err := b.ServingCert("ksit-apiserver.ksit-system.svc")
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := bed.ParseObjects(content)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		objects = append(objects, parsed...)
	}
	for _, object := range objects {
		switch object.GetKind() {
		case "APIService":
			err = unstructured.SetNestedField(object.Object, base64.StdEncoding.EncodeToString(cert.CAPEM), "spec", "caBundle")
		case "StatefulSet":
			containers, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
			containers[0].(map[string]any)["image"] = image
			err = unstructured.SetNestedSlice(object.Object, containers, "spec", "template", "spec", "containers")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// The namespace comes first by the name of its file, and is all that the Secret
	// needs.
	first := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Namespace" })
	if err := b.Host.ApplyObjects(t.Context(), objects[first]); err != nil {
		t.Fatal(err)
	}
	kubectl(t, b, "create", "secret", "tls", "ksit-server-tls", "-n", namespace, "--cert="+cert.Cert, "--key="+cert.Key)
	if err := b.Host.ApplyObjects(t.Context(), objects...); err != nil {
		t.Fatal(err)
	}
	kubectl(t, b, "rollout", "status", "statefulset/ksit-server", "-n", namespace, "--timeout=180s")
	kubectl(t, b, "wait", "apiservice/v1alpha1.ksit.io", "--for=condition=Available", "--timeout=120s")
}

// kubectl runs kubectl as an administrator of the host and fails the test when it
// fails.
func kubectl(t *testing.T, b *bed.Bed, args ...string) string {
	t.Helper()
	out, err := tryKubectl(t.Context(), b, b.Host.Kubeconfig, "", args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// tryKubectl runs kubectl with any kubeconfig and returns all that it printed.
func tryKubectl(ctx context.Context, b *bed.Bed, kubeconfig, stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, eventually)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.Tools.Kubectl, append([]string{"--kubeconfig", kubeconfig}, args...)...)
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
	ctx, cancel := context.WithTimeout(t.Context(), eventually)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// waitPhase waits until an Integration has a phase, for its present spec.
func waitPhase(t *testing.T, b *bed.Bed, ns, name, phase string) {
	t.Helper()
	wait(t, fmt.Sprintf("Integration %s/%s does not become %s", ns, name, phase), func(ctx context.Context) error {
		const columns = `jsonpath={.status.phase} {.metadata.generation} {.status.observedGeneration} {.status.message}`
		out, err := tryKubectl(ctx, b, b.Host.Kubeconfig, "", "get", "integration", name, "-n", ns, "-o", columns)
		fields := strings.Fields(out)
		if err == nil && len(fields) > 2 && fields[0] == phase && fields[1] == fields[2] {
			return nil
		}
		return fmt.Errorf("it is %q (%w)", out, err)
	})
}

// describe prints what one would look at when something went wrong.
func describe(t *testing.T, b *bed.Bed) {
	for _, args := range [][]string{
		{"get", "nodes,pods,statefulsets,persistentvolumeclaims", "-A", "-o", "wide"},
		{"get", "events", "-A", "--sort-by=.lastTimestamp"},
		{"get", "apiservice", "v1alpha1.ksit.io", "-o", "yaml"},
		{"get", "integrations,integrationtargets,installations", "-A", "-o", "wide"},
		{"logs", "statefulset/ksit-server", "-n", namespace, "--tail=60"},
	} {
		out, _ := tryKubectl(context.Background(), b, b.Host.Kubeconfig, "", args...)
		t.Logf("kubectl %s\n%s", strings.Join(args, " "), out)
	}
}
