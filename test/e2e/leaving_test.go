// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestOrphanedIsTakenOver leaves a release and manifests, and has Integrations
// of other names take them over without a new revision.
func TestOrphanedIsTakenOver(t *testing.T) {
	ns := namespace(t, "one")
	kubeconfig := s.bed.Targets[0].Kubeconfig
	const place = "      releaseName: shared\n  config: {namespace: handed-on}\n"
	plain := func(name string) string {
		return fmt.Sprintf(`{"apiVersion":"ksit.io/v1alpha1","kind":"Integration","metadata":{"name":%q,"namespace":%q},"spec":{"type":"generic",
"targetClusters":["one"],"config":{"namespace":"handed-on-too"},"autoInstall":{"enabled":true,"method":"manifest","manifestConfig":{"manifests":%q}}}}`, name, ns,
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: told}\n")
	}
	kubectl(t, generic(ns, "first", "podinfo-lite", "1.0.0", []string{"one"}, place), "apply", "-f", "-")
	kubectl(t, plain("first-plain"), "apply", "-f", "-")
	waitPhase(t, ns, "first", v1alpha1.PhaseRunning)
	waitPhase(t, ns, "first-plain", v1alpha1.PhaseRunning)
	uid := onTarget(t, kubeconfig, "handed-on-too", "configmap/told", "{.metadata.uid}")
	for _, name := range []string{"first", "first-plain"} {
		patch(t, ns, name, `{"spec":{"autoInstall":{"deletionPolicy":"Orphan"}}}`)
		kubectl(t, "", "delete", "integration", name, "-n", ns, "--timeout=60s")
	}

	// One that may not adopt says so, and touches nothing.
	kubectl(t, strings.Replace(generic(ns, "refuses", "podinfo-lite", "1.0.0", []string{"one"}, place), "timeoutSeconds: 60", "timeoutSeconds: 60\n    adoptionPolicy: Refuse", 1), "apply", "-f", "-")
	waitMessage(t, ns, "refuses", v1alpha1.PhaseFailed, "adoptionPolicy")
	kubectl(t, "", "delete", "integration", "refuses", "-n", ns, "--timeout=60s")

	kubectl(t, generic(ns, "second", "podinfo-lite", "1.0.0", []string{"one"}, place), "apply", "-f", "-")
	kubectl(t, plain("second-plain"), "apply", "-f", "-")
	waitPhase(t, ns, "second", v1alpha1.PhaseRunning)
	waitPhase(t, ns, "second-plain", v1alpha1.PhaseRunning)
	if r := helmList(t, kubeconfig)["handed-on/shared"]; r.Revision != "1" || r.Status != "deployed" {
		t.Errorf("the release that was taken over is %+v", r)
	}
	if now := onTarget(t, kubeconfig, "handed-on-too", "configmap/told", "{.metadata.uid}"); now != uid {
		t.Error("the ConfigMap that was taken over was made anew")
	}

	// What was adopted stays with Delete, and goes with DeleteAdopted.
	kubectl(t, "", "delete", "integration", "second", "second-plain", "-n", ns, "--timeout=60s")
	if r := helmList(t, kubeconfig)["handed-on/shared"]; r.Status != "deployed" {
		t.Errorf("what was adopted did not stay: %+v", r)
	}
	onTarget(t, kubeconfig, "handed-on-too", "configmap/told", "{.metadata.name}")
	kubectl(t, generic(ns, "third", "podinfo-lite", "1.0.0", []string{"one"}, place), "apply", "-f", "-")
	waitPhase(t, ns, "third", v1alpha1.PhaseRunning)
	patch(t, ns, "third", `{"spec":{"autoInstall":{"deletionPolicy":"DeleteAdopted"}}}`)
	kubectl(t, "", "delete", "integration", "third", "-n", ns, "--timeout=60s")
	if r, there := helmList(t, kubeconfig)["handed-on/shared"]; there {
		t.Errorf("what was adopted did not go, although it was asked for: %+v", r)
	}
}
