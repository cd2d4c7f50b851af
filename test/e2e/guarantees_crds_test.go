// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestCRDsComeFirstAndAreUpgraded installs a chart with a definition in crds/ and
// an object of it onto a cluster that does not know the kind, and upgrades to
// one whose object is of a version that only the new definition has.
func TestCRDsComeFirstAndAreUpgraded(t *testing.T) {
	ns := namespace(t, "one", "two", "three")
	target := s.bed.Targets[2].Kubeconfig
	const crd = "gadgets.bed.ksit.io"
	onTarget := func(args ...string) string {
		out, err := tryKubectl(t.Context(), target, "", args...)
		if err != nil {
			t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(out)
	}
	onTarget("delete", "crd", crd, "--ignore-not-found")
	kubectl(t, generic(ns, "gadget", "crd-then-cr", "1.0.0", []string{"three"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "gadget", v1alpha1.PhaseRunning)
	kubectl(t, generic(ns, "gadget", "crd-then-cr", "2.0.0", []string{"three"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "gadget", v1alpha1.PhaseRunning)
	if colour := onTarget("get", "gadgets.v2.bed.ksit.io", "gadget", "-n", "gadget", "-o", "jsonpath={.spec.colour}"); colour != "blue" {
		t.Errorf("the colour, which only the new definition has, is %q", colour)
	}
	kubectl(t, "", "delete", "integration", "gadget", "-n", ns, "--timeout=60s")
	if names := onTarget("get", "crd", crd, "-o", "name"); names == "" {
		t.Error("the definition was deleted with the Integration")
	}
	onTarget("delete", "crd", crd)
}
