// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// testAPIServerDeleted has a pod go in an orderly way, as when a node is drained.
func testAPIServerDeleted(t *testing.T, c *cluster, a *availability) {
	pod := c.replicas(t, apiserver)[0]
	a.unnoticed(t, func() {
		begin := time.Now()
		kubectl(t, c, "delete", "pod", pod.Name, "-n", namespace, "--timeout=120s")
		t.Logf("the pod was gone after %s", since(begin))
		c.whole(t, apiserver)
	})
}

// testAPIServerKilled kills a process without a word. Until the host knows, which is
// when the kubelet has said so, some requests are still sent there and fail. They fail
// at once, nothing that was acknowledged is lost, and with the replica back none fails.
func testAPIServerKilled(t *testing.T, c *cluster, a *availability) {
	pod := c.replicas(t, apiserver)[0]
	var killed time.Time
	report := a.during(t, func() {
		killed = time.Now()
		if err := c.Node.KillProcess(&pod, "ksit"); err != nil {
			t.Fatal(err)
		}
		c.restarted(t, &pod)
		t.Logf("the replica was back after %s", since(killed))
	})
	t.Logf("of %d requests %d failed, the last one %s after the kill", report.Requests, len(report.Failures), report.Until(killed).Round(time.Millisecond))
	a.unnoticed(t, func() { c.whole(t, apiserver) })
}

// restarted waits until the container of a pod has been started again and is ready.
func (c *cluster) restarted(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	before := pod.Status.ContainerStatuses[0].RestartCount
	wait(t, "the pod "+pod.Name+" is not back", func(ctx context.Context) error {
		now, err := c.kube.CoreV1().Pods(namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if err == nil && (now.Status.ContainerStatuses[0].RestartCount == before || !ready(now)) {
			err = errors.New("it is not ready")
		}
		return err
	})
}

// leader is the pod that holds the Lease of the controllers.
func (c *cluster) leader(t *testing.T) *corev1.Pod {
	t.Helper()
	var leader *corev1.Pod
	wait(t, "no controller manager leads", func(ctx context.Context) error {
		lease, err := c.kube.CoordinationV1().Leases(namespace).Get(ctx, "ksit-controller-manager", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if lease.Spec.HolderIdentity == nil {
			return errors.New("nobody holds the Lease")
		}
		for _, pod := range c.replicas(t, manager) {
			if strings.HasPrefix(*lease.Spec.HolderIdentity, pod.Name) {
				leader = &pod
				return nil
			}
		}
		return fmt.Errorf("the Lease is held by %q", *lease.Spec.HolderIdentity)
	})
	return leader
}

// testLeaderKilled kills the controller manager that works, and right after asks for a
// change. It is done by whoever leads next, once.
func testLeaderKilled(t *testing.T, c *cluster, a *availability) {
	before, leader := revision(t, c), c.leader(t)
	lease, err := c.kube.CoordinationV1().Leases(namespace).Get(t.Context(), "ksit-controller-manager", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a.unnoticed(t, func() {
		killed := time.Now()
		if err := c.Node.KillProcess(leader, "ksit"); err != nil {
			t.Fatal(err)
		}
		c.scale(t, 1)
		wait(t, "the change is not taken up", func(ctx context.Context) error {
			deployment, err := c.kube.AppsV1().Deployments(app).Get(ctx, app, metav1.GetOptions{})
			if err == nil && *deployment.Spec.Replicas != 1 {
				err = errors.New("the release is as it was")
			}
			return err
		})
		t.Logf("a change that was asked for when the leader was killed was on the target after %s; the Lease lasts %ds", since(killed), *lease.Spec.LeaseDurationSeconds)
		waitPhase(t, c, ns, app, v1alpha1.PhaseRunning)
	})
	if now := revision(t, c); now != before+1 {
		t.Errorf("one change brought the release from revision %d to %d", before, now)
	}
	c.whole(t, manager)
	c.scale(t, 2)
	waitPhase(t, c, ns, app, v1alpha1.PhaseRunning)
	pods(t, c)
}

// scale asks for a number of pods of the Integration.
func (c *cluster) scale(t *testing.T, replicas int) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"autoInstall":{"helmConfig":{"values":{"replicas":"%d"}}}}}`, replicas)
	if _, err := c.ksit.KsitV1alpha1().Integrations(ns).Patch(t.Context(), app, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

func testCertificateRotated(t *testing.T, c *cluster, a *availability) {
	a.unnoticed(t, func() { c.rotate(t, "ksit-serving") })
}

func testAuthorityRotated(t *testing.T, c *cluster, a *availability) {
	service, err := c.apiService(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := string(service.Spec.CABundle)
	a.unnoticed(t, func() {
		begin := time.Now()
		c.rotate(t, "ksit-ca")
		wait(t, "the host still trusts the former authority", func(ctx context.Context) error {
			service, err := c.apiService(ctx)
			if err == nil && strings.Contains(string(service.Spec.CABundle), strings.TrimSpace(before)) {
				err = errors.New("it is in the bundle")
			}
			return err
		})
		t.Logf("the former authority was forgotten after %s", since(begin))
	})
}

// rotate asks for a new certificate, or a new authority and so a new certificate, and
// waits until all replicas serve with it.
func (c *cluster) rotate(t *testing.T, secret string) {
	t.Helper()
	before := map[string]string{}
	all := c.replicas(t, apiserver)
	serial := func(ctx context.Context, pod *corev1.Pod) (string, error) {
		certificate, err := c.served(ctx, net.JoinHostPort(pod.Status.PodIP, "8443"))
		if err != nil {
			return "", err
		}
		return certificate.SerialNumber.String(), nil
	}
	for i := range all {
		var err error
		if before[all[i].Name], err = serial(t.Context(), &all[i]); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	kubectl(t, c, "annotate", "secret", secret, "-n", namespace, fmt.Sprintf("ksit.io/rotate=%d", begin.UnixNano()), "--overwrite")
	wait(t, "not all replicas serve with the new certificate", func(ctx context.Context) error {
		for i := range all {
			now, err := serial(ctx, &all[i])
			if err != nil {
				return err
			}
			if now == before[all[i].Name] {
				return errors.New(all[i].Name + " serves with the former one")
			}
		}
		return nil
	})
	t.Logf("all replicas served with the new certificate after %s", since(begin))
}

// testEtcdMemberKilled kills one that does not lead.
func testEtcdMemberKilled(t *testing.T, c *cluster, a *availability) {
	member, err := a.etcd.Follower(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var killed time.Time
	report := a.during(t, func() {
		killed = time.Now()
		member.Kill()
		time.Sleep(3 * time.Second)
	})
	t.Logf("the last request failed %s after the kill", report.Until(killed).Round(time.Millisecond))
	a.unnoticed(t, func() {
		if err := member.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// testEtcdLeaderKilled kills the one that leads. Writes that it was to answer wait for
// etcd's own timeout, of seven seconds, and fail.
func testEtcdLeaderKilled(t *testing.T, c *cluster, a *availability) {
	member, err := a.etcd.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var killed time.Time
	report := a.during(t, func() {
		killed = time.Now()
		member.Kill()
		wait(t, "etcd does not elect", func(ctx context.Context) error {
			_, err := a.etcd.Leader(ctx)
			return err
		})
		t.Logf("etcd had another leader after %s", since(killed))
		// As long as a write that was under way then may wait for its answer.
		time.Sleep(8 * time.Second)
	})
	t.Logf("the last request failed %s after the kill", report.Until(killed).Round(time.Millisecond))
	a.unnoticed(t, func() {
		if err := member.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
