// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// eventually is how long things that should happen soon may take on a busy
// machine. It is a bound on hanging, not a measurement.
const eventually = 3 * time.Minute

// kubectl runs kubectl against the host cluster and fails the test when it
// fails.
func kubectl(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	out, err := tryKubectl(t.Context(), s.bed.Host.Kubeconfig, stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// tryKubectl runs kubectl against any cluster and returns all it printed.
func tryKubectl(ctx context.Context, kubeconfig, stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, eventually)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.bed.Tools.Kubectl, append([]string{"--kubeconfig", kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// refused expects kubectl apply to fail with all of the words.
func refused(t *testing.T, manifest string, words ...string) {
	t.Helper()
	out, err := tryKubectl(t.Context(), s.bed.Host.Kubeconfig, manifest, "apply", "-f", "-")
	if err == nil {
		t.Errorf("accepted, although it should be refused with %q:\n%s", words, manifest)
		return
	}
	for _, word := range words {
		if !strings.Contains(out, word) {
			t.Errorf("refused without saying %q:\n%s", word, out)
		}
	}
}

// namespace makes a namespace for a test, with IntegrationTargets of the names
// given, one for each target of the bed in order, and deletes it afterwards.
func namespace(t testing.TB, targets ...string) string {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	name = fmt.Sprintf("%.40s-%d", strings.TrimPrefix(name, "test"), time.Now().UnixNano()%100000)
	kubectl(t, "", "create", "namespace", name)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), eventually)
		defer cancel()
		// That it goes is seen to when all tests are through.
		if out, err := tryKubectl(ctx, s.bed.Host.Kubeconfig, "", "delete", "namespace", name, "--ignore-not-found", "--wait=false"); err != nil {
			t.Errorf("deleting namespace %s: %v\n%s", name, err, out)
		}
	})
	for n, target := range targets {
		register(t, name, target, s.bed.Targets[n].Kubeconfig)
	}
	return name
}

// register makes the Secret and the IntegrationTarget as the brief does.
func register(t testing.TB, namespace, target, kubeconfig string) {
	t.Helper()
	kubectl(t, "", "create", "secret", "generic", target+"-kubeconfig", "--from-file=kubeconfig="+kubeconfig, "-n", namespace)
	kubectl(t, targetManifest(namespace, target, target+"-kubeconfig"), "apply", "-f", "-")
}

func targetManifest(namespace, name, secret string) string {
	return fmt.Sprintf(`
apiVersion: ksit.io/v1alpha1
kind: IntegrationTarget
metadata:
  name: %s
  namespace: %s
spec:
  clusterName: %s
  kubeconfigSecret: %s
  probe: {intervalSeconds: 5, timeoutSeconds: 5, failureThreshold: 2}
`, name, namespace, name, secret)
}

// generic is a manifest of a generic Integration of a chart of the repository
// of test charts.
func generic(namespace, name, chart, version string, targets []string, extra string) string {
	return fmt.Sprintf(`
apiVersion: ksit.io/v1alpha1
kind: Integration
metadata:
  name: %[1]s
  namespace: %[2]s
spec:
  type: generic
  targetClusters: [%[3]s]
  autoInstall:
    enabled: true
    timeoutSeconds: 60
    helmConfig:
      repository: %[4]s
      chart: %[5]s
      version: %[6]q
%[7]s`, name, namespace, strings.Join(targets, ", "), testCharts(), chart, version, extra)
}

// selected has a manifest of generic's select its targets by labels.
func selected(manifest, labels string) string {
	return strings.Replace(manifest, "targetClusters: []", "targetSelector: {matchLabels: {"+labels+"}}", 1)
}

func testCharts() string { return "https://charts.example.com/test" }

// waitPhase waits until an Integration has a phase and its status speaks of its
// present spec.
func waitPhase(t testing.TB, namespace, name string, phase v1alpha1.Phase) *v1alpha1.Integration {
	t.Helper()
	var last *v1alpha1.Integration
	ok := poll(t.Context(), eventually, func(ctx context.Context) bool {
		i, err := s.ksit.KsitV1alpha1().Integrations(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false
		}
		last = i
		return i.Status.Phase == phase && i.Status.ObservedGeneration == i.Generation
	})
	if !ok {
		t.Fatalf("Integration %s/%s did not become %s:\n%s", namespace, name, phase, describe(t, namespace, last))
	}
	return last
}

func describe(t testing.TB, namespace string, i *v1alpha1.Integration) string {
	t.Helper()
	if i == nil {
		return "(not there)"
	}
	out, _ := tryKubectl(context.Background(), s.bed.Host.Kubeconfig, "", "get", "integrations,installations,integrationtargets", "-n", namespace, "-o", "wide")
	return fmt.Sprintf("%s: %s\n%s", i.Status.Phase, i.Status.Message, out)
}

// poll calls done until it says yes, and tells whether it did in time.
func poll(ctx context.Context, timeout time.Duration, done func(context.Context) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		if done(ctx) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// sample reads a file of artifacts/samples.
func sample(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "artifacts", "samples", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
