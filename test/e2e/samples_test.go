// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestSamples applies every sample through kubectl, without a warning, and deletes it
// again. What most name is where only the Internet leads, and the targets are not
// there, so nothing is installed; of those of the guide TestBrief sees that they run.
func TestSamples(t *testing.T) {
	for _, ns := range []string{"platform", "team-a"} {
		kubectl(t, "", "create", "namespace", ns)
		t.Cleanup(func() { kubectlAfter(t, "delete", "namespace", ns, "--wait=false") })
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "artifacts", "samples", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples (%v)", err)
	}
	for _, file := range files {
		if out := kubectl(t, "", "apply", "--validate=strict", "-f", file); strings.Contains(out, "Warning") {
			t.Errorf("%s: %s", filepath.Base(file), out)
		}
		kubectl(t, "", "delete", "-f", file, "--timeout=120s")
	}
}

// TestSampleOfManifests sees what the sample of manifests brings, for the sources
// that are on the host.
func TestSampleOfManifests(t *testing.T) {
	ns := namespace(t)
	register(t, ns, "production-cluster-1", s.bed.Targets[2].Kubeconfig)
	kept := filepath.Join(t.TempDir(), "manifests.yaml")
	content, _, there := strings.Cut(sample(t, "manifests.yaml"), "# The server asks for a password")
	if !there {
		t.Fatal("the sample begins in another way")
	}
	content = strings.NewReplacer("namespace: ksit-system", "namespace: "+ns, "namespace: guests", "namespace: "+ns).Replace(content)
	must(t, os.WriteFile(kept, []byte(strings.TrimSuffix(strings.TrimSpace(content), "---")), 0o600))
	kubectl(t, "", "apply", "-f", kept)
	waitPhase(t, ns, "quota-for-guests", v1alpha1.PhaseRunning)
	waitPhase(t, ns, "network-policies", v1alpha1.PhaseRunning)
	out, err := tryKubectl(t.Context(), s.bed.Targets[2].Kubeconfig, "", "get", "resourcequota/guests", "networkpolicy/deny-from-outside", "-n", ns, "-o", "name")
	if err != nil {
		t.Errorf("on the target: %v\n%s", err, out)
	}
	kubectl(t, "", "delete", "integrations", "--all", "-n", ns, "--timeout=120s")
}

// kubectlAfter runs kubectl when the context of the test is done.
func kubectlAfter(t *testing.T, args ...string) {
	t.Helper()
	if out, err := tryKubectl(s.ctx, s.bed.Host.Kubeconfig, "", args...); err != nil {
		t.Errorf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
