// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// ns is where the Integration is, and app where it installs.
const (
	ns  = "team"
	app = "echo"
)

func testInstalled(t *testing.T, c *cluster) {
	if err := c.RegisterTarget(t.Context(), ns, c.Host); err != nil {
		t.Fatal(err)
	}
	kubectl(t, c, "wait", "integrationtarget/"+c.Host.Name, "-n", ns, "--for=condition=Ready", "--timeout=120s")
	manifest := fmt.Sprintf(`
apiVersion: ksit.io/v1alpha1
kind: Integration
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  type: generic
  targetClusters: [%[3]s]
  autoInstall:
    enabled: true
    timeoutSeconds: 120
    helmConfig: {repository: "%[4]s/test", chart: echo, version: 1.0.0}
`, app, ns, c.Host.Name, c.Node.ChartsURL)
	if out, err := tryKubectl(t.Context(), c, c.Host.Kubeconfig, manifest, "apply", "-f", "-"); err != nil {
		t.Fatalf("kubectl apply: %v\n%s", err, out)
	}
	waitPhase(t, c, ns, app, v1alpha1.PhaseRunning)
	answering(t, c)
}

// answering waits until each of the pods has answered through the API server's proxy
// of their Service, and only they.
func answering(t *testing.T, c *cluster) {
	t.Helper()
	seen := map[string]bool{}
	wait(t, "not all pods answer through their Service", func(ctx context.Context) error {
		out, err := c.kube.CoreV1().Services(app).ProxyGet("http", app, "http", "/hello", nil).DoRaw(ctx)
		if err != nil {
			return err
		}
		name, path, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
		if path != "/hello" {
			return fmt.Errorf("the answer is %q", out)
		}
		seen[name] = true
		for _, pod := range pods(t, c) {
			if !seen[pod] {
				return fmt.Errorf("%s has not answered, but %v have", pod, seen)
			}
		}
		return nil
	})
}

// pods waits until the two pods of the chart are ready, and returns their names.
func pods(t *testing.T, c *cluster) []string {
	t.Helper()
	var names []string
	wait(t, "the pods of the chart are not ready", func(ctx context.Context) error {
		list, err := c.kube.CoreV1().Pods(app).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		names = nil
		for _, pod := range list.Items {
			if pod.DeletionTimestamp == nil && ready(&pod) {
				names = append(names, pod.Name)
			}
		}
		if len(names) != 2 || len(list.Items) != 2 {
			return fmt.Errorf("of %d pods %v are", len(list.Items), names)
		}
		return nil
	})
	return names
}

func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func testPodKilled(t *testing.T, c *cluster) {
	before := pods(t, c)
	kubectl(t, c, "delete", "pod", before[0], "-n", app, "--grace-period=0", "--force")
	after := pods(t, c)
	if slices.Contains(after, before[0]) || !slices.Contains(after, before[1]) {
		t.Errorf("the pods were %v and are %v", before, after)
	}
	answering(t, c)
	waitPhase(t, c, ns, app, v1alpha1.PhaseRunning)
}

// testKubeletRestarted makes sure that a restart of the kubelet is nothing to
// containers, and that it goes on to look after them.
func testKubeletRestarted(t *testing.T, c *cluster) {
	before := pods(t, c)
	if err := c.Node.RestartKubelet(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := pods(t, c)
	slices.Sort(before)
	slices.Sort(after)
	if !slices.Equal(before, after) {
		t.Errorf("the pods were %v and are %v", before, after)
	}
	reachable(t, c, c.Host.Kubeconfig, app, after[0])
	waitPhase(t, c, ns, app, v1alpha1.PhaseRunning)
}

func testUninstalled(t *testing.T, c *cluster) {
	kubectl(t, c, "delete", "integration", app, "-n", ns, "--timeout=120s")
	wait(t, "pods of the chart are left", func(ctx context.Context) error {
		list, err := c.kube.CoreV1().Pods(app).List(ctx, metav1.ListOptions{})
		if err == nil && len(list.Items) > 0 {
			err = fmt.Errorf("%d of them", len(list.Items))
		}
		return err
	})
}

// integration is the Integration as it is now.
func (c *cluster) integration(t *testing.T) *v1alpha1.Integration {
	t.Helper()
	o, err := c.ksit.KsitV1alpha1().Integrations(ns).Get(t.Context(), app, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// pod is a pod of KSIT as it is now.
func (c *cluster) pod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	pod, err := c.kube.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// revision is the newest revision of the release on the target: how often Helm has
// installed or upgraded it.
func revision(t *testing.T, c *cluster) int {
	t.Helper()
	releases, err := c.kube.CoreV1().Secrets(app).List(t.Context(), metav1.ListOptions{LabelSelector: "owner=helm,name=" + app})
	if err != nil {
		t.Fatal(err)
	}
	newest := 0
	for _, release := range releases.Items {
		number, err := strconv.Atoi(release.Labels["version"])
		if err != nil {
			t.Fatalf("the release %s has the version %q", release.Name, release.Labels["version"])
		}
		newest = max(newest, number)
	}
	return newest
}
