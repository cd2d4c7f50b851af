// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/test/e2e/usage"
)

// footprint prints what each pod of KSIT uses over a time, next to what the brief
// promises.
func (c *cluster) footprint(t *testing.T, over time.Duration) {
	t.Helper()
	list, err := c.kube.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=ksit"})
	if err != nil {
		t.Fatal(err)
	}
	pids, before := map[string]int{}, map[string]usage.Usage{}
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.Status.Phase != "Running" {
			continue // The pod of helm test.
		}
		pid, err := c.Node.Process(pod, "ksit")
		if err != nil {
			t.Fatal(err)
		}
		pids[pod.Name] = pid
		if before[pod.Name], err = usage.Of(pid); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(over)
	for name, pid := range pids {
		now, err := usage.Of(pid)
		if err != nil {
			t.Fatal(err)
		}
		cpu := (now.CPU - before[name].CPU).Seconds() / over.Seconds() * 1000
		t.Logf("%-45s %4.0f MB resident, %.0f of them its own, %.0f at most; %3.0fm of a CPU. The brief says 80 MB and 50m", name, now.Resident, now.Anonymous, now.Peak, cpu)
	}
}

// testFootprintAtRest is of a KSIT with one Integration that nobody uses.
func testFootprintAtRest(t *testing.T, c *cluster) { c.footprint(t, 20*time.Second) }
