// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"ksit.io/ksit/test/bed"
)

// ns is where the Integration is, and app where it installs.
const (
	ns  = "team"
	app = "echo"
)

// TestRealNode goes through the life of an Integration whose pods really run,
// installed by a KSIT that is a pod itself.
func TestRealNode(t *testing.T) {
	begin := time.Now()
	b := up(t)
	t.Logf("KSIT was available as a pod after %s", time.Since(begin).Round(time.Second))
	kube, err := b.Host.Client()
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name string
		run  func(*testing.T, *bed.Bed, kubernetes.Interface)
	}{
		{"KSIT has no more rights on its node than it needs", testConfined},
		{"installed", testInstalled},
		{"reached by kubectl", func(t *testing.T, b *bed.Bed, kube kubernetes.Interface) {
			reachable(t, b, b.Host.Kubeconfig, app, pods(t, kube)[0])
		}},
		{"reached through KSIT, as who may", testProxied},
		{"a pod is killed", testPodKilled},
		{"KSIT is killed", testKSITKilled},
		{"the kubelet is restarted", testKubeletRestarted},
		{"uninstalled", testUninstalled},
		{"namespaces go", testNamespacesGo},
	}
	for _, step := range steps {
		// Each builds on what the one before it has left.
		if !t.Run(step.name, func(t *testing.T) { step.run(t, b, kube) }) {
			return
		}
	}
}

func testConfined(t *testing.T, b *bed.Bed, kube kubernetes.Interface) {
	pod, err := kube.CoreV1().Pods(namespace).Get(t.Context(), "ksit-server-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if restarts := pod.Status.ContainerStatuses[0].RestartCount; restarts != 0 {
		t.Errorf("KSIT was restarted %d times", restarts)
	}
	// That of the strictest of the standards for pods; the API server judges.
	out := kubectl(t, b, "label", "--dry-run=server", "--overwrite", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
	if strings.Contains(strings.ToLower(out), "warning") {
		t.Errorf("KSIT's pods do not keep to the restricted standard:\n%s", out)
	}
	out, err = execIn(t.Context(), b, b.Host.Kubeconfig, namespace, "ksit-server-0", "", "/ksit", "version")
	if err != nil || !strings.Contains(out, "ksit ") {
		t.Errorf("ksit version in the pod printed %q (%v)", out, err)
	}
	if out, err := execIn(t.Context(), b, b.Host.Kubeconfig, namespace, "ksit-server-0", "", "/bin/sh", "-c", "true"); err == nil {
		t.Errorf("the image has a shell: %q", out)
	}
}

func testInstalled(t *testing.T, b *bed.Bed, kube kubernetes.Interface) {
	kubectl(t, b, "create", "namespace", ns)
	if err := b.RegisterTarget(t.Context(), ns, b.Host); err != nil {
		t.Fatal(err)
	}
	kubectl(t, b, "wait", "integrationtarget/"+b.Host.Name, "-n", ns, "--for=condition=Ready", "--timeout=120s")
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
`, app, ns, b.Host.Name, b.Node.ChartsURL)
	if out, err := tryKubectl(t.Context(), b, b.Host.Kubeconfig, manifest, "apply", "-f", "-"); err != nil {
		t.Fatalf("kubectl apply: %v\n%s", err, out)
	}
	waitPhase(t, b, ns, app, "Running")
	answering(t, kube)
}

// answering waits until each of the pods has answered through the API server's proxy
// of their Service, and only they.
func answering(t *testing.T, kube kubernetes.Interface) {
	t.Helper()
	seen := map[string]bool{}
	wait(t, "not all pods answer through their Service", func(ctx context.Context) error {
		out, err := kube.CoreV1().Services(app).ProxyGet("http", app, "http", "/hello", nil).DoRaw(ctx)
		if err != nil {
			return err
		}
		name, path, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
		if path != "/hello" {
			return fmt.Errorf("the answer is %q", out)
		}
		seen[name] = true
		for _, pod := range pods(t, kube) {
			if !seen[pod] {
				return fmt.Errorf("%s has not answered, but %v have", pod, seen)
			}
		}
		return nil
	})
}

// pods waits until the two pods of the chart are ready, and returns their names.
func pods(t *testing.T, kube kubernetes.Interface) []string {
	t.Helper()
	var names []string
	wait(t, "the pods of the chart are not ready", func(ctx context.Context) error {
		list, err := kube.CoreV1().Pods(app).List(ctx, metav1.ListOptions{})
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

func testPodKilled(t *testing.T, b *bed.Bed, kube kubernetes.Interface) {
	before := pods(t, kube)
	kubectl(t, b, "delete", "pod", before[0], "-n", app, "--grace-period=0", "--force")
	after := pods(t, kube)
	if slices.Contains(after, before[0]) || !slices.Contains(after, before[1]) {
		t.Errorf("the pods were %v and are %v", before, after)
	}
	answering(t, kube)
	waitPhase(t, b, ns, app, "Running")
}

// testKSITKilled kills KSIT's own pod. The next one finds everything on its volume.
func testKSITKilled(t *testing.T, b *bed.Bed, kube kubernetes.Interface) {
	before, err := kube.CoreV1().Pods(namespace).Get(t.Context(), "ksit-server-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	uid := kubectl(t, b, "get", "integration", app, "-n", ns, "-o", "jsonpath={.metadata.uid}")
	kubectl(t, b, "delete", "pod", "ksit-server-0", "-n", namespace, "--grace-period=1")
	wait(t, "KSIT is not back", func(ctx context.Context) error {
		pod, err := kube.CoreV1().Pods(namespace).Get(ctx, "ksit-server-0", metav1.GetOptions{})
		if err == nil && (pod.UID == before.UID || !ready(pod)) {
			err = fmt.Errorf("its pod is %s", pod.Status.Phase)
		}
		return err
	})
	wait(t, "the host does not serve KSIT's API again", func(ctx context.Context) error {
		out, err := tryKubectl(ctx, b, b.Host.Kubeconfig, "", "get", "integration", app, "-n", ns, "-o", "jsonpath={.metadata.uid}")
		if err == nil && out != uid {
			err = fmt.Errorf("the Integration is another one: %q and not %q", out, uid)
		}
		return err
	})
	waitPhase(t, b, ns, app, "Running")
}

// testKubeletRestarted makes sure that a restart of the kubelet is nothing to
// containers, and that it goes on to look after them.
func testKubeletRestarted(t *testing.T, b *bed.Bed, kube kubernetes.Interface) {
	before := pods(t, kube)
	if err := b.Node.RestartKubelet(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := pods(t, kube)
	slices.Sort(before)
	slices.Sort(after)
	if !slices.Equal(before, after) {
		t.Errorf("the pods were %v and are %v", before, after)
	}
	reachable(t, b, b.Host.Kubeconfig, app, after[0])
	waitPhase(t, b, ns, app, "Running")
}

func testUninstalled(t *testing.T, b *bed.Bed, kube kubernetes.Interface) {
	kubectl(t, b, "delete", "integration", app, "-n", ns, "--timeout=120s")
	wait(t, "pods of the chart are left", func(ctx context.Context) error {
		list, err := kube.CoreV1().Pods(app).List(ctx, metav1.ListOptions{})
		if err == nil && len(list.Items) > 0 {
			err = fmt.Errorf("%d of them", len(list.Items))
		}
		return err
	})
}

// testNamespacesGo deletes the namespaces, which the host finishes only while it
// reaches KSIT.
func testNamespacesGo(t *testing.T, b *bed.Bed, _ kubernetes.Interface) {
	kubectl(t, b, "delete", "namespace", ns, app, "--timeout=120s")
}
