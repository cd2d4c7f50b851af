// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// usage is what a process has used.
type usage struct {
	// resident and peak are KiB.
	resident, peak int
	cpu            time.Duration
}

// usageOf reads what the kernel says of a process, and of children that it had.
func usageOf(pid int) (usage, error) {
	var u usage
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		switch fields[0] {
		case "VmRSS:":
			u.resident, err = strconv.Atoi(fields[1])
		case "VmHWM:":
			u.peak, err = strconv.Atoi(fields[1])
		}
		if err != nil {
			return u, err
		}
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// What precedes is the name in parentheses, which may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const utime, ticks = 11, 100 // Its place in what follows, and those of the four in a second.
	for _, field := range fields[utime : utime+4] {
		n, err := strconv.Atoi(field)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(n) * time.Second / ticks
	}
	return u, nil
}

// footprint prints what each pod of KSIT uses over a time, next to what the brief
// promises.
func (c *cluster) footprint(t *testing.T, over time.Duration) {
	t.Helper()
	list, err := c.kube.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=ksit"})
	if err != nil {
		t.Fatal(err)
	}
	pids, before := map[string]int{}, map[string]usage{}
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
		if before[pod.Name], err = usageOf(pid); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(over)
	for name, pid := range pids {
		now, err := usageOf(pid)
		if err != nil {
			t.Fatal(err)
		}
		cpu := (now.cpu - before[name].cpu).Seconds() / over.Seconds() * 1000
		t.Logf("%-45s %4d MB resident (%d MB at most), %3.0fm of a CPU; the brief says 80 MB and 50m", name, now.resident/1024, now.peak/1024, cpu)
	}
}

// testFootprintAtRest is of a KSIT with one Integration that nobody uses.
func testFootprintAtRest(t *testing.T, c *cluster) { c.footprint(t, 20*time.Second) }
