// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/test/bed"
)

// TestRealNode runs a pod on a real node, with a volume, behind a Service, and makes
// sure that nothing of it is left on the machine.
func TestRealNode(t *testing.T) {
	if testing.Short() {
		t.Skip("brings up a cluster")
	}
	if err := bed.NodeUnavailable(); err != nil {
		t.Skipf("a real node cannot run here: %v", err)
	}
	b, err := bed.Up(t.Context(), bed.Options{RealNode: true, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })

	if err := b.Host.Apply(t.Context(), fmt.Appendf(nil, realPod, bed.PodImage)); err != nil {
		t.Fatal(err)
	}
	kube := client(t, b.Host)
	eventually(t, "the pod answers through its Service", func(ctx context.Context) error {
		out, err := kube.CoreV1().Services("default").ProxyGet("http", "web", "http", "/hello", nil).DoRaw(ctx)
		if err == nil && strings.TrimSpace(string(out)) != "web /hello" {
			err = fmt.Errorf("the answer is %q", out)
		}
		return err
	})
	out, err := kube.CoreV1().Pods("default").GetLogs("web", &corev1.PodLogOptions{}).DoRaw(t.Context())
	if err != nil || !strings.Contains(string(out), "GET /hello") {
		t.Errorf("the log of the pod is %q (%v)", out, err)
	}
	if err := b.Node.RestartKubelet(t.Context()); err != nil {
		t.Error(err)
	}
	pod, err := kube.CoreV1().Pods("default").Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil || pod.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("a restart of the kubelet restarted the pod: %+v (%v)", pod.Status, err)
	}
	if len(leftOf(t, b)) == 0 {
		t.Error("found nothing of the node while it runs, so that the check for what is left would prove nothing")
	}
	begin := time.Now()
	if err := b.Close(); err != nil {
		t.Errorf("closing the bed: %v", err)
	}
	t.Logf("closed the bed in %s", time.Since(begin).Round(time.Millisecond))
	if left := leftOf(t, b); len(left) > 0 {
		t.Errorf("the node left %q", left)
	}
}

const realPod = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: web}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  securityContext: {runAsNonRoot: true, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: web
    image: %s
    imagePullPolicy: Never
    args: [serve]
    readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: web}}]
`

// leftOf lists what of a bed's node is on the machine: processes, mounts, control
// groups and addresses.
func leftOf(t *testing.T, b *bed.Bed) []string {
	t.Helper()
	var left []string
	for _, pid := range processesBelow(t, b.Dir) {
		left = append(left, fmt.Sprintf("process %d", pid))
	}
	// Whoever is in the node, or in one of its containers, has mounts of it; so has
	// everybody if one was made on the machine.
	tables, err := filepath.Glob("/proc/[0-9]*/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if mounts, err := os.ReadFile(table); err == nil && strings.Contains(string(mounts), b.Dir) {
			left = append(left, "mounts in "+table)
		}
	}
	for _, pattern := range []string{"/sys/fs/cgroup/*" + b.Name, "/sys/fs/cgroup/*/*" + b.Name} {
		groups, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, groups...)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		if strings.HasPrefix(address.String(), b.Node.Gateway+"/") {
			left = append(left, "address "+address.String())
		}
	}
	return left
}
