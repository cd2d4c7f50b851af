// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
)

// TestRotatedKubeconfigIsUsed replaces the kubeconfig of a target, as whoever
// refreshes tokens does. The next probe uses the new one, and nothing uses the
// old one any more.
func TestRotatedKubeconfigIsUsed(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	target := s.bed.Targets[1]
	kubeconfigOf := func(user string) []byte {
		kubeconfig, err := target.AuditedKubeconfig(user)
		must(t, err)
		return kubeconfig
	}
	old, fresh := ns+"-old", ns+"-fresh"
	registerContent(t, ns, "rotated", kubeconfigOf(old))
	kubectl(t, generic(ns, "turns", "podinfo-lite", "1.0.0", []string{"rotated"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "turns", v1alpha1.PhaseRunning)

	invalid, err := target.TokenKubeconfig("nobody", "expired")
	must(t, err)
	rotate(t, ns, "rotated", invalid)
	waitTarget(t, ns, "rotated", metav1.ConditionFalse, "credentials")
	rotate(t, ns, "rotated", kubeconfigOf(fresh))
	waitTarget(t, ns, "rotated", metav1.ConditionTrue)
	begin := time.Now()
	kubectl(t, generic(ns, "turns", "podinfo-lite", "1.1.0", []string{"rotated"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "turns", v1alpha1.PhaseRunning)

	if requests, err := target.AuditedRequests(fresh, begin); err != nil || len(requests) == 0 {
		t.Errorf("the new credentials were not used (%v)", err)
	}
	if requests, err := target.AuditedRequests(old, begin); err != nil || len(requests) > 0 {
		t.Errorf("the old credentials were used %d times more (%v)", len(requests), err)
	}
}

func rotate(t testing.TB, ns, target string, kubeconfig []byte) {
	t.Helper()
	patch := fmt.Sprintf(`{"data":{"kubeconfig":%q}}`, base64.StdEncoding.EncodeToString(kubeconfig))
	_, err := clientOf(t, s.bed.Host).CoreV1().Secrets(ns).Patch(t.Context(), target+"-kubeconfig", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	must(t, err)
}

// TestNothingIsUninstalledByAccident takes away, one after the other, what KSIT
// decides by. What is installed stays as it is, to the Deployment's identity.
func TestNothingIsUninstalledByAccident(t *testing.T) {
	ns := namespace(t)
	target := s.bed.Targets[1]
	relay := registerRelayed(t, ns, "here", target)
	kubectl(t, "", "label", "integrationtarget", "here", "-n", ns, "stage=prod")
	kubectl(t, generic(ns, "stays", "podinfo-lite", "1.0.0", []string{"here"}, ""), "apply", "-f", "-")
	kubectl(t, selected(generic(ns, "stays-selected", "podinfo-lite", "1.0.0", nil, ""), "stage: prod"), "apply", "-f", "-")
	names := []string{"stays", "stays-selected"}
	before := map[string]types.UID{}
	for _, name := range names {
		waitPhase(t, ns, name, v1alpha1.PhaseRunning)
		before[name] = deploymentUID(t, target, name)
	}
	untouched := func(t *testing.T) {
		t.Helper()
		for _, name := range names {
			waitPhase(t, ns, name, v1alpha1.PhaseRunning)
			if after := deploymentUID(t, target, name); after != before[name] {
				t.Errorf("%s was uninstalled and installed again", name)
			}
			if revisions := history(t, target, name); len(revisions) != 1 || revisions[0].status != "deployed" {
				t.Errorf("the release %s is %+v", name, revisions)
			}
		}
	}
	lost := func(t *testing.T) {
		t.Helper()
		for _, name := range names {
			waitMessage(t, ns, name, v1alpha1.PhaseUnknown, "here")
		}
	}
	t.Run("the target refuses connections, also across a restart", func(t *testing.T) {
		must(t, relay.Refuse())
		lost(t)
		s.restart(t)
		lost(t)
		must(t, relay.Pass())
		untouched(t)
	})
	t.Run("the kubeconfig is gone", func(t *testing.T) {
		secrets := clientOf(t, s.bed.Host).CoreV1().Secrets(ns)
		secret, err := secrets.Get(t.Context(), "here-kubeconfig", metav1.GetOptions{})
		must(t, err)
		must(t, secrets.Delete(t.Context(), secret.Name, metav1.DeleteOptions{}))
		lost(t)
		secret.ObjectMeta = metav1.ObjectMeta{Name: secret.Name}
		_, err = secrets.Create(t.Context(), secret, metav1.CreateOptions{})
		must(t, err)
		untouched(t)
	})
	t.Run("the selector matches nothing", func(t *testing.T) {
		kubectl(t, "", "label", "integrationtarget", "here", "-n", ns, "stage-")
		waitMessage(t, ns, "stays-selected", "", "is kept")
		untouched(t)
		kubectl(t, "", "label", "integrationtarget", "here", "-n", ns, "stage=prod")
	})
	t.Run("the host is gone for a while", func(t *testing.T) {
		must(t, s.bed.Host.Kill(bed.APIServer))
		must(t, s.bed.Host.Start(t.Context(), bed.APIServer))
		if !poll(t.Context(), eventually, func(ctx context.Context) bool {
			_, err := s.ksit.KsitV1alpha1().Integrations(ns).List(ctx, metav1.ListOptions{})
			return err == nil
		}) {
			t.Fatal("the host does not serve KSIT's API again")
		}
		untouched(t)
	})
}

// TestClusterGoneForGood deletes an Integration whose cluster never comes back:
// the way out is named, and works; and its name can be used again.
func TestClusterGoneForGood(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	target := s.bed.Targets[1]
	relay := registerRelayed(t, ns, "lost", target)
	manifest := generic(ns, "survivor", "podinfo-lite", "1.0.0", []string{"lost"}, "")
	kubectl(t, manifest, "apply", "-f", "-")
	waitPhase(t, ns, "survivor", v1alpha1.PhaseRunning)
	uid := deploymentUID(t, target, "survivor")

	must(t, relay.Freeze())
	kubectl(t, "", "delete", "integration", "survivor", "-n", ns, "--wait=false")
	waitMessage(t, ns, "survivor", v1alpha1.PhaseUninstalling, "lost", "deletionPolicy", "Orphan")
	kubectl(t, "", "patch", "integration", "survivor", "-n", ns, "--type=merge", "-p", `{"spec":{"autoInstall":{"deletionPolicy":"Orphan"}}}`)
	gone(t, ns, "survivor")

	t.Run("the same name takes up what was left", func(t *testing.T) {
		must(t, relay.Pass())
		kubectl(t, manifest, "apply", "-f", "-")
		waitPhase(t, ns, "survivor", v1alpha1.PhaseRunning)
		if after := deploymentUID(t, target, "survivor"); after != uid {
			t.Error("what was left was not taken up but installed again")
		}
	})
	t.Run("deleted and created again at once", func(t *testing.T) {
		kubectl(t, "", "delete", "integration", "survivor", "-n", ns, "--wait=false")
		if !poll(t.Context(), eventually, func(ctx context.Context) bool {
			_, err := tryKubectl(ctx, s.bed.Host.Kubeconfig, manifest, "create", "-f", "-")
			return err == nil
		}) {
			t.Fatal("the name cannot be used again")
		}
		waitPhase(t, ns, "survivor", v1alpha1.PhaseRunning)
		if err := sound(history(t, target, "survivor")); err != nil {
			t.Error(err)
		}
	})
	t.Run("with its target deleted as well", func(t *testing.T) {
		must(t, relay.Refuse())
		kubectl(t, "", "delete", "integrationtarget", "lost", "-n", ns, "--wait=false")
		kubectl(t, "", "delete", "integration", "survivor", "-n", ns, "--wait=false")
		waitMessage(t, ns, "survivor", v1alpha1.PhaseUninstalling, "Orphan")
		kubectl(t, "", "patch", "integration", "survivor", "-n", ns, "--type=merge", "-p", `{"spec":{"autoInstall":{"deletionPolicy":"Orphan"}}}`)
		gone(t, ns, "survivor")
		if !poll(t.Context(), eventually, func(ctx context.Context) bool {
			_, err := s.ksit.KsitV1alpha1().IntegrationTargets(ns).Get(ctx, "lost", metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		}) {
			t.Error("the target is still there")
		}
	})
	if out, err := helm(t, target.Kubeconfig, "uninstall", "survivor", "-n", "survivor"); err != nil {
		t.Errorf("what was left is no plain release: %v\n%s", err, out)
	}
}
