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

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
	"ksit.io/ksit/test/e2e/traffic"
)

// The components of mode ha, of which there are two pods each.
const (
	apiserver  = "apiserver"
	manager    = "controller-manager"
	busyPlace  = "busy"
	etcdSecret = "ksit-etcd"
)

// availability is an etcd, and users of KSIT, who go on while something is done to it.
type availability struct {
	etcd    *bed.EtcdCluster
	traffic *traffic.Traffic
}

// testHA has KSIT in two pods of each kind on an etcd of three members, used all the
// time while everything that can happen to it in production happens.
func testHA(t *testing.T, c *cluster, before inventory) {
	a := &availability{}
	with := func(run func(*testing.T, *cluster, *availability)) func(*testing.T, *cluster) {
		return func(t *testing.T, c *cluster) { run(t, c, a) }
	}
	inOrder(t, c, []step{
		{"installed", with(testInstalledHA)},
		{"tested by Helm", testByHelm},
		{"an Integration is installed", testInstalled},
		{"footprint at rest", testFootprintAtRest},
		{"used", with(testUsed)},
	})
	if t.Failed() {
		return
	}
	defer func() { _ = a.traffic.Stop() }()
	// Whatever one of them shows, the next one can be tried.
	for _, step := range []step{
		{"upgraded", with(testUpgraded)},
		{"a certificate is rotated", with(testCertificateRotated)},
		{"the authority is rotated", with(testAuthorityRotated)},
		{"an API server is deleted", with(testAPIServerDeleted)},
		{"an API server is killed", with(testAPIServerKilled)},
		{"the leader is killed", with(testLeaderKilled)},
		{"the kubelet is restarted", with(testKubeletRestartedInUse)},
		{"a member of etcd is killed", with(testEtcdMemberKilled)},
		{"the leader of etcd is killed", with(testEtcdLeaderKilled)},
	} {
		t.Run(step.name, func(t *testing.T) { step.run(t, c) })
	}
	inOrder(t, c, []step{
		{"nothing is lost", with(testNothingLost)},
		{"the Integration is uninstalled", testUninstalled},
		{"namespaces go", func(t *testing.T, c *cluster) {
			kubectl(t, c, "delete", "namespace", busyPlace, "--timeout=120s")
			testNamespacesGo(t, c)
		}},
		{"uninstalled by Helm", func(t *testing.T, c *cluster) { testUninstalledByHelm(t, c, before) }},
	})
}

func testInstalledHA(t *testing.T, c *cluster, a *availability) {
	var err error
	a.etcd, err = c.StartEtcdCluster(t.Context(), bed.EtcdClusterOptions{Name: "ksit-etcd", Hosts: []string{c.Node.Gateway}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{ns, busyPlace, namespace} {
		kubectl(t, c, "create", "namespace", name)
	}
	cert := a.etcd.Cert
	kubectl(t, c, "create", "secret", "generic", etcdSecret, "-n", namespace,
		"--from-file=ca.crt="+cert.CA, "--from-file=tls.crt="+cert.Cert, "--from-file=tls.key="+cert.Key)
	c.install(t, line(guide,
		"--set", "replicas=2",
		"--set", "etcd.secretName="+etcdSecret,
		"--set", "etcd.servers={"+strings.Join(a.etcd.Endpoints(c.Node.Gateway), ",")+"}",
		// Ten minutes are for clusters in which it takes that long until everybody knows.
		"--set", "certificates.overlap=10s"))
	c.rolledOut(t)
}

// rolledOut waits until all pods are those of the last upgrade, and ready, and the
// former ones gone.
func (c *cluster) rolledOut(t *testing.T) {
	t.Helper()
	for _, component := range []string{apiserver, manager} {
		kubectl(t, c, "rollout", "status", "deployment/ksit-"+component, "-n", namespace, "--timeout=180s")
		wait(t, "pods of "+component+" are left", func(ctx context.Context) error {
			if all := c.replicas(t, component); len(all) != 2 {
				return fmt.Errorf("there are %d", len(all))
			}
			return nil
		})
	}
}

// replicas are the pods of a component, those that end included.
func (c *cluster) replicas(t *testing.T, component string) []corev1.Pod {
	t.Helper()
	list, err := c.kube.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=" + component})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// whole waits until two pods of a component are ready.
func (c *cluster) whole(t *testing.T, component string) {
	t.Helper()
	wait(t, "not all pods of "+component+" are ready", func(context.Context) error {
		all := c.replicas(t, component)
		if len(all) != 2 || slices.ContainsFunc(all, func(pod corev1.Pod) bool { return !ready(&pod) || pod.DeletionTimestamp != nil }) {
			return fmt.Errorf("there are %d", len(all))
		}
		return nil
	})
}

func testUsed(t *testing.T, c *cluster, a *availability) {
	var err error
	if a.traffic, err = traffic.Start(t.Context(), busyPlace, c.routes(t)...); err != nil {
		t.Fatal(err)
	}
	a.unnoticed(t, func() { time.Sleep(time.Second) })
}

// during does something, lets the traffic go on for a moment, and returns what became
// of it.
func (a *availability) during(t *testing.T, something func()) traffic.Report {
	t.Helper()
	begin := time.Now()
	something()
	time.Sleep(2 * time.Second)
	report := a.traffic.Report(begin)
	t.Log(report)
	return report
}

// unnoticed does something of which no user may notice anything.
func (a *availability) unnoticed(t *testing.T, something func()) {
	t.Helper()
	if report := a.during(t, something); len(report.Failures) > 0 {
		t.Errorf("%d of %d requests failed", len(report.Failures), report.Requests)
	}
}

func testUpgraded(t *testing.T, c *cluster, a *availability) {
	before := revision(t, c)
	a.unnoticed(t, func() {
		begin := time.Now()
		c.helm(t, line(upgradeGuide, "--reuse-values", "--set", "image.tag="+second)...)
		c.rolledOut(t)
		t.Logf("upgraded, the last of the former pods gone, after %s", since(begin))
	})
	for _, component := range []string{apiserver, manager} {
		for _, pod := range c.replicas(t, component) {
			if image := pod.Spec.Containers[0].Image; image != imageName(second) {
				t.Errorf("after the upgrade the image of %s is %s", pod.Name, image)
			}
		}
	}
	waitPhase(t, c, ns, app, v1alpha1.PhaseRunning)
	if now := revision(t, c); now != before {
		t.Errorf("the upgrade of KSIT brought the release from revision %d to %d", before, now)
	}
}

func testKubeletRestartedInUse(t *testing.T, c *cluster, a *availability) {
	a.unnoticed(t, func() { testKubeletRestarted(t, c) })
}

func testNothingLost(t *testing.T, c *cluster, a *availability) {
	for _, component := range []string{apiserver, manager} {
		c.whole(t, component)
	}
	if err := a.traffic.Finish(t.Context()); err != nil {
		t.Errorf("of %d writes that were acknowledged:\n%v", a.traffic.Writes(), err)
	}
	t.Logf("%d writes were acknowledged; all are there, and were seen by the watches", a.traffic.Writes())
}
