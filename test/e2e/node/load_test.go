// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
)

// many is how many Integrations there are under load, each on two targets.
const many = 50

// TestFootprint measures what the pods of KSIT use, as one pod and highly available,
// with fifty Integrations on two targets. It takes minutes and proves nothing that can
// fail, so it runs when KSIT_FOOTPRINT is set.
func TestFootprint(t *testing.T) {
	if os.Getenv("KSIT_FOOTPRINT") == "" {
		t.Skip("set KSIT_FOOTPRINT to measure what the pods of KSIT use under load")
	}
	c := up(t, bed.Options{Targets: 2, Nodes: 1})
	inOrder(t, c, []step{
		{"server", func(t *testing.T, c *cluster) {
			kubectl(t, c, "create", "namespace", ns)
			c.install(t, line(guide))
			c.loaded(t)
			kubectl(t, c, "delete", "namespace", ns, "--timeout=300s")
			c.helm(t, "uninstall", "ksit", "-n", namespace, "--wait")
			kubectl(t, c, "delete", "namespace", namespace, "--timeout=120s")
		}},
		{"ha", func(t *testing.T, c *cluster) {
			testInstalledHA(t, c, &availability{})
			c.loaded(t)
		}},
	})
}

// loaded measures at rest with nothing to do, while much is installed, and at rest
// with much to look after.
func (c *cluster) loaded(t *testing.T) {
	t.Helper()
	t.Log("with nothing to look after:")
	c.footprint(t, 30*time.Second)
	var names []string
	for _, target := range c.Targets {
		relay, err := c.Node.NewRelay(target)
		if err != nil {
			t.Fatal(err)
		}
		kubeconfig, err := relay.UserKubeconfig("ksit", "system:masters")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.RegisterKubeconfig(t.Context(), ns, target, kubeconfig); err != nil {
			t.Fatal(err)
		}
		names = append(names, target.Name)
	}
	begin := time.Now()
	for n := range many {
		name := fmt.Sprintf("app-%02d", n)
		integration := &v1alpha1.Integration{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.IntegrationSpec{
				Type: v1alpha1.IntegrationTypeGeneric, TargetClusters: names,
				AutoInstall: &v1alpha1.AutoInstall{Enabled: true, HelmConfig: &v1alpha1.HelmConfig{
					Repository: c.Node.ChartsURL + "/test", Chart: "podinfo-lite", Version: "1.0.0",
				}},
			},
		}
		if _, err := c.ksit.KsitV1alpha1().Integrations(ns).Create(t.Context(), integration, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("while %d Integrations are installed on two targets:", many)
	c.footprint(t, 15*time.Second)
	wait(t, "not all Integrations run", func(ctx context.Context) error {
		list, err := c.ksit.KsitV1alpha1().Integrations(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		running := 0
		for i := range list.Items {
			if list.Items[i].Status.Phase == v1alpha1.PhaseRunning {
				running++
			}
		}
		if running != many {
			return fmt.Errorf("%d of %d do", running, many)
		}
		return nil
	})
	t.Logf("all were Running after %s; at rest with them:", since(begin))
	// What installs left in memory is returned to the system.
	time.Sleep(time.Minute)
	c.footprint(t, time.Minute)
}
