// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/e2e/traffic"
)

// testServer has KSIT in one pod with an etcd of its own, as the guide installs it.
func testServer(t *testing.T, c *cluster, before inventory) {
	inOrder(t, c, []step{
		{"installed by the line of the guide", func(t *testing.T, c *cluster) {
			kubectl(t, c, "create", "namespace", ns)
			c.install(t, line(guide))
		}},
		{"tested by Helm", testByHelm},
		{"it has no more rights on its node than it needs", testConfined},
		{"an Integration is installed", testInstalled},
		{"footprint at rest", testFootprintAtRest},
		{"reached by kubectl", func(t *testing.T, c *cluster) {
			reachable(t, c, c.Host.Kubeconfig, app, pods(t, c)[0])
		}},
		{"reached through KSIT, as who may", testProxied},
		{"a pod of the Integration is killed", testPodKilled},
		{"KSIT is killed", testKSITKilled},
		{"the kubelet is restarted", testKubeletRestarted},
		{"upgraded by the line of the guide", testUpgradeKeepsData},
		{"the Integration is uninstalled", testUninstalled},
		{"namespaces go", testNamespacesGo},
		{"uninstalled by Helm", func(t *testing.T, c *cluster) { testUninstalledByHelm(t, c, before) }},
	})
}

func testConfined(t *testing.T, c *cluster) {
	pod, err := c.kube.CoreV1().Pods(namespace).Get(t.Context(), "ksit-server-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if restarts := pod.Status.ContainerStatuses[0].RestartCount; restarts != 0 {
		t.Errorf("KSIT was restarted %d times", restarts)
	}
	// That of the strictest of the standards for pods; the API server judges.
	out := kubectl(t, c, "label", "--dry-run=server", "--overwrite", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
	if strings.Contains(strings.ToLower(out), "warning") {
		t.Errorf("KSIT's pods do not keep to the restricted standard:\n%s", out)
	}
	out, err = execIn(t.Context(), c, c.Host.Kubeconfig, namespace, "ksit-server-0", "", "/ksit", "version")
	if err != nil || !strings.Contains(out, "ksit ") {
		t.Errorf("ksit version in the pod printed %q (%v)", out, err)
	}
	if out, err := execIn(t.Context(), c, c.Host.Kubeconfig, namespace, "ksit-server-0", "", "/bin/sh", "-c", "true"); err == nil {
		t.Errorf("the image has a shell: %q", out)
	}
}

// testKSITKilled kills KSIT's process. The next one finds everything on its volume.
func testKSITKilled(t *testing.T, c *cluster) {
	before := c.pod(t, "ksit-server-0")
	uid := c.integration(t).UID
	killed := time.Now()
	if err := c.Node.KillProcess(before, "ksit"); err != nil {
		t.Fatal(err)
	}
	wait(t, "KSIT is not back", func(ctx context.Context) error {
		pod, err := c.kube.CoreV1().Pods(namespace).Get(ctx, before.Name, metav1.GetOptions{})
		if err == nil && (pod.Status.ContainerStatuses[0].RestartCount <= before.Status.ContainerStatuses[0].RestartCount || !ready(pod)) {
			err = fmt.Errorf("its pod is %s", pod.Status.Phase)
		}
		return err
	})
	wait(t, "the host does not serve KSIT's API again", func(ctx context.Context) error {
		o, err := c.ksit.KsitV1alpha1().Integrations(ns).Get(ctx, app, metav1.GetOptions{})
		if err == nil && o.UID != uid {
			err = fmt.Errorf("the Integration is another one: %q and not %q", o.UID, uid)
		}
		return err
	})
	t.Logf("KSIT was killed, and its API was back after %s", since(killed))
	waitPhase(t, c, ns, app, v1alpha1.PhaseRunning)
}

// testNamespacesGo deletes the namespaces, which the host finishes only while it
// reaches KSIT.
func testNamespacesGo(t *testing.T, c *cluster) {
	kubectl(t, c, "delete", "namespace", ns, app, "--timeout=120s")
}

// testUpgradeKeepsData upgrades KSIT, which replaces its one pod. Requests fail
// meanwhile; but nothing that was acknowledged is lost, and everything is as it was
// then, in KSIT and on the target.
func testUpgradeKeepsData(t *testing.T, c *cluster) {
	pod, uid, before := c.pod(t, "ksit-server-0"), c.integration(t).UID, revision(t, c)
	// By the guide's line alone the tag of the image stays, and so does the pod.
	c.helm(t, line(upgradeGuide)...)
	c.available(t)
	use, err := traffic.Start(t.Context(), ns, c.routes(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = use.Stop() }()
	begin := time.Now()
	c.helm(t, line(upgradeGuide, "--reuse-values", "--set", "image.tag="+second)...)
	kubectl(t, c, "rollout", "status", "statefulset/ksit-server", "-n", namespace, "--timeout=180s")
	// The host may say that the API is available before it has noticed that it was not.
	served := time.Now()
	wait(t, "requests go on to fail", func(context.Context) error {
		if report := use.Report(time.Now().Add(-time.Second)); len(report.Failures) > 0 || time.Since(served) < 2*time.Second {
			return fmt.Errorf("%d of %d did", len(report.Failures), report.Requests)
		}
		return nil
	})
	t.Logf("upgraded after %s", since(begin))
	if err := use.Finish(t.Context()); err != nil {
		t.Errorf("of %d writes that were acknowledged:\n%v", use.Writes(), err)
	}
	report := use.Report(begin)
	t.Logf("requests failed for %s, and %d writes were acknowledged and kept; in all %d requests, of which %d failed",
		report.Outage().Round(100*time.Millisecond), use.Writes(), report.Requests, len(report.Failures))
	now := c.pod(t, pod.Name)
	if now.UID == pod.UID || now.Spec.Containers[0].Image != imageName(second) {
		t.Errorf("after the upgrade the pod is %s with the image %s; it was %s", now.UID, now.Spec.Containers[0].Image, pod.UID)
	}
	waitPhase(t, c, ns, app, v1alpha1.PhaseRunning)
	if now := c.integration(t).UID; now != uid {
		t.Errorf("the Integration is another one: %s and not %s", now, uid)
	}
	if now := revision(t, c); now != before {
		t.Errorf("the upgrade of KSIT brought the release from revision %d to %d", before, now)
	}
}
