// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"ksit.io/ksit/test/bed"
)

// TestBeds brings up two beds at the same time and uses them. The first run
// on a machine builds the tools, which takes longer than the default time of a
// test: run bed build first.
func TestBeds(t *testing.T) {
	if testing.Short() {
		t.Skip("brings up clusters")
	}
	beds := upInParallel(t,
		bed.Options{Targets: 1, Log: t.Output()},
		bed.Options{Log: t.Output()},
	)
	first, second := beds[0], beds[1]

	t.Run("names and ports are their own", func(t *testing.T) {
		if first.Dir == second.Dir || first.Host.Server == second.Host.Server {
			t.Errorf("both beds are in %s and serve %s", first.Dir, first.Host.Server)
		}
	})
	t.Run("found by other processes", func(t *testing.T) { testFind(t, first) })
	t.Run("version", func(t *testing.T) { testVersion(t, first.Targets[0]) })
	t.Run("workload", func(t *testing.T) { testWorkload(t, first.Targets[0]) })
	t.Run("pods answer", func(t *testing.T) { testPodsAnswer(t, first.Targets[0]) })
	t.Run("webhook fails at once", func(t *testing.T) { testWebhook(t, first.Targets[0]) })
	t.Run("identities", func(t *testing.T) { testIdentities(t, first.Host) })
	t.Run("API server killed", func(t *testing.T) { testKill(t, first.Targets[0]) })

	for _, b := range beds {
		pids := processesBelow(t, b.Dir)
		if len(pids) == 0 {
			t.Errorf("found no processes of bed %s, so that the check for those left would prove nothing", b.Name)
		}
		begin := time.Now()
		if err := b.Close(); err != nil {
			t.Errorf("closing bed %s: %v", b.Name, err)
		}
		t.Logf("closed bed %s in %s", b.Name, time.Since(begin).Round(time.Millisecond))
		if left := processesBelow(t, b.Dir); len(left) > 0 {
			t.Errorf("bed %s left processes %v", b.Name, left)
		}
		if _, err := os.Stat(b.Dir); !os.IsNotExist(err) {
			t.Errorf("bed %s left its directory: %v", b.Name, err)
		}
	}
}

func upInParallel(t *testing.T, options ...bed.Options) []*bed.Bed {
	t.Helper()
	beds := make([]*bed.Bed, len(options))
	errs := make([]error, len(options))
	var wait sync.WaitGroup
	for i, o := range options {
		wait.Go(func() { beds[i], errs[i] = bed.Up(t.Context(), o) })
	}
	wait.Wait()
	for _, b := range beds {
		if b != nil {
			t.Cleanup(func() { _ = b.Close() })
		}
	}
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return beds
}

func testFind(t *testing.T, b *bed.Bed) {
	state, err := bed.Find("", b.Name)
	if err != nil {
		t.Fatal(err)
	}
	if !state.Ready || state.Owner.Pid != os.Getpid() || len(state.Clusters) != 2 || state.Clusters[1].Server != b.Targets[0].Server {
		t.Errorf("the state of the bed is %+v", state)
	}
	if _, err := bed.Up(t.Context(), bed.Options{Name: b.Name}); err == nil || !strings.Contains(err.Error(), "running already") {
		t.Errorf("a second bed of the same name: %v", err)
	}
}

func testVersion(t *testing.T, c *bed.Cluster) {
	version, err := client(t, c).Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if version.GitVersion != "v1.37.2" || version.Major != "1" || version.Minor != "37" {
		t.Errorf("the cluster says that it is version %+v", version)
	}
}

const workload = `
apiVersion: v1
kind: Namespace
metadata: {name: workload}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: workload}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: example.invalid/web:1, ports: [{containerPort: 8080}]}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: workload}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 50Gi}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: workload}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: workload}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: once, image: example.invalid/once:1}]
`

func testWorkload(t *testing.T, c *bed.Cluster) {
	if err := c.Apply(t.Context(), []byte(workload)); err != nil {
		t.Fatal(err)
	}
	k := client(t, c)
	eventually(t, "the Deployment is available", func(ctx context.Context) error {
		d, err := k.AppsV1().Deployments("workload").Get(ctx, "web", metav1.GetOptions{})
		return check(err, d.Status.AvailableReplicas == 3, "%d replicas are available", d.Status.AvailableReplicas)
	})
	eventually(t, "the claim is bound", func(ctx context.Context) error {
		pvc, err := k.CoreV1().PersistentVolumeClaims("workload").Get(ctx, "data", metav1.GetOptions{})
		return check(err, pvc.Status.Phase == corev1.ClaimBound, "it is %s", pvc.Status.Phase)
	})
	eventually(t, "the Service has an address", func(ctx context.Context) error {
		service, err := k.CoreV1().Services("workload").Get(ctx, "web", metav1.GetOptions{})
		return check(err, len(service.Status.LoadBalancer.Ingress) == 1, "it has none")
	})
	eventually(t, "the Job is complete", func(ctx context.Context) error {
		job, err := k.BatchV1().Jobs("workload").Get(ctx, "once", metav1.GetOptions{})
		return check(err, job.Status.Succeeded == 1, "it is %+v", job.Status)
	})
}

func testPodsAnswer(t *testing.T, c *bed.Cluster) {
	body, err := client(t, c).CoreV1().Services("workload").ProxyGet("http", "web", "80", "/healthz", nil).DoRaw(t.Context())
	if err != nil || strings.TrimSpace(string(body)) != "ok" {
		t.Errorf("through the service proxy: %q, %v", body, err)
	}
}

const webhook = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: %[1]s}
webhooks:
- name: %[1]s.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: %[2]s
  timeoutSeconds: 10
  clientConfig: {service: {name: web, namespace: workload, port: 80}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  matchConditions: [{name: only, expression: "object.metadata.name == '%[1]s'"}]
`

// testWebhook checks that webhooks which nobody serves do not stop the clock.
func testWebhook(t *testing.T, c *bed.Cluster) {
	for _, policy := range []string{"Ignore", "Fail"} {
		name := "webhook-" + strings.ToLower(policy)
		if err := c.Apply(t.Context(), fmt.Appendf(nil, webhook, name, policy)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * time.Second) // Until the API server has heard of them.
	configMaps := client(t, c).CoreV1().ConfigMaps("workload")
	create := func(name string) (time.Duration, error) {
		begin := time.Now()
		_, err := configMaps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		return time.Since(begin), err
	}
	if took, err := create("webhook-ignore"); err != nil || took > 5*time.Second {
		t.Errorf("with policy Ignore: %v after %s", err, took)
	}
	if took, err := create("webhook-fail"); err == nil || !strings.Contains(err.Error(), "webhook-fail.example.com") || took > 5*time.Second {
		t.Errorf("with policy Fail: %v after %s", err, took)
	}
}

func testIdentities(t *testing.T, c *bed.Cluster) {
	alice, err := c.UserKubeconfig("alice", "developers")
	if err != nil {
		t.Fatal(err)
	}
	account, err := c.ServiceAccountKubeconfig(t.Context(), "default", "default")
	if err != nil {
		t.Fatal(err)
	}
	for want, kubeconfig := range map[string][]byte{
		"alice":                                 alice,
		"system:serviceaccount:default:default": account,
	} {
		config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
		if err != nil {
			t.Fatal(err)
		}
		k, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		review, err := k.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil || review.Status.UserInfo.Username != want {
			t.Errorf("the user is %q, %v; want %q", review.Status.UserInfo.Username, err, want)
		}
	}
}

func testKill(t *testing.T, c *bed.Cluster) {
	if err := c.Kill(bed.APIServer); err != nil {
		t.Fatal(err)
	}
	k := client(t, c)
	if _, err := k.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{}); err == nil {
		t.Error("the killed API server answers")
	}
	if err := c.Start(t.Context(), bed.APIServer); err != nil {
		t.Fatal(err)
	}
	// The controllers and kwok have survived or come back.
	scale := []byte(`{"spec":{"replicas":4}}`)
	eventually(t, "the Deployment is scaled", func(ctx context.Context) error {
		if _, err := k.AppsV1().Deployments("workload").Patch(ctx, "web", "application/merge-patch+json", scale, metav1.PatchOptions{}); err != nil {
			return err
		}
		d, err := k.AppsV1().Deployments("workload").Get(ctx, "web", metav1.GetOptions{})
		return check(err, d.Status.AvailableReplicas == 4, "%d replicas are available", d.Status.AvailableReplicas)
	})
}

func client(t *testing.T, c *bed.Cluster) kubernetes.Interface {
	t.Helper()
	k, err := c.Client()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func eventually(t *testing.T, what string, holds func(context.Context) error) {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		err := holds(ctx)
		if err == nil {
			t.Logf("%s after %s", what, time.Since(begin).Round(time.Millisecond))
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waiting until %s: %v", what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func check(err error, ok bool, format string, args ...any) error {
	if err == nil && !ok {
		err = fmt.Errorf(format, args...)
	}
	return err
}

// processesBelow lists the processes that work in a directory below dir, which
// all components of a bed do.
func processesBelow(t *testing.T, dir string) []int {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil || len(links) == 0 {
		t.Skip("no /proc to look for processes in")
	}
	var pids []int
	for _, link := range links {
		// Removed directories have a suffix that says so.
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, dir+"/") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(link)))
			pids = append(pids, pid)
		}
	}
	return pids
}
