// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/hosttest"
)

const webManifest = `
apiVersion: ksit.io/v1alpha1
kind: Integration
metadata:
  name: web
spec:
  type: generic
  targetClusters: [production-cluster-1, production-cluster-2]
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: values
data: {a: b}
`

func TestApply(t *testing.T) {
	host := hosttest.New(t)
	c := newClient(t, host)
	c.stdin = webManifest
	r := c.run("apply", "-f", "-")
	r.expect(t, 0)
	if want := "integration.ksit.io/web serverside-applied\nconfigmap/values serverside-applied\n"; r.out != want {
		t.Errorf("got %q", r.out)
	}
	if u := host.Read(t, "ksit.io", "v1alpha1", "integrations", "team-a", "web"); u.GetNamespace() != "team-a" {
		t.Errorf("stored in %s", u.GetNamespace())
	}
	c.run("apply", "-f", "-", "--dry-run").expect(t, 0, "(server dry run)")
	for words, args := range map[string][]string{
		"say what to apply with -f": {}, "do not go together": {"-f", "-", "--wait", "--dry-run"}, "--timeout is 0s": {"-f", "-", "--timeout", "0"},
		"does not exist": {"-f", "/does/not/exist.yaml"},
	} {
		c.run(append([]string{"apply"}, args...)...).expect(t, 1, words)
	}
	c.stdin = ""
	c.run("apply", "-f", "-").expect(t, 1, "no objects passed to apply")
	c.stdin = "kind: Nonsense\napiVersion: example.com/v1\nmetadata: {name: x}\n"
	c.run("apply", "-f", "-").expect(t, 1, `no matches for kind "Nonsense" in version "example.com/v1"`)
}

// play writes what the controllers would, for the generation that is stored.
func play(t *testing.T, host *hosttest.Host, phase v1alpha1.Phase, change func(*v1alpha1.Integration), all ...*v1alpha1.Installation) {
	t.Helper()
	generation := host.Read(t, "ksit.io", "v1alpha1", "integrations", "team-a", "web").GetGeneration()
	i := integration("web", phase, len(all), 0)
	i.Spec.TargetClusters = []string{target(1), target(2)}
	i.Generation, i.Status.ObservedGeneration = generation, generation
	if change != nil {
		change(i)
	}
	for _, installation := range all {
		host.Put(t, installation)
	}
	host.Put(t, i)
}

func TestApplyWaitsUntilAllRun(t *testing.T) {
	host := hosttest.New(t)
	c := newClient(t, host)
	c.stdin = webManifest
	f := c.follow("apply", "-f", "-", "--wait")
	f.until(t, "KSIT did not see the newest spec yet")
	play(t, host, v1alpha1.PhaseInstalling, nil, installed("web", 1, v1alpha1.PhaseInstalling), installed("web", 2, v1alpha1.PhaseRunning))
	f.until(t, "web on production-cluster-1: Installing")
	f.until(t, "web on production-cluster-2: Running")
	play(t, host, v1alpha1.PhaseRunning, nil, installed("web", 1, v1alpha1.PhaseRunning), installed("web", 2, v1alpha1.PhaseRunning))
	f.ends(t, 0)
}

func TestApplyEndsWithTheReasons(t *testing.T) {
	failed := func(n int) *v1alpha1.Installation {
		i := installed("web", n, v1alpha1.PhaseFailed)
		i.Status.Message = "the chart cannot be installed"
		return i
	}
	retried := func(n int) *v1alpha1.Installation {
		i := failed(n)
		at := metav1.NewTime(time.Now())
		i.Status.NextRetryTime = &at
		return i
	}
	waits := installed("web", 2, v1alpha1.PhaseRunning)
	waits.Spec.WaitsFor = "the rollout, which was stopped"
	stall := func(i *v1alpha1.Integration) {
		i.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue}}
	}
	for name, test := range map[string]struct {
		phase   v1alpha1.Phase
		change  func(*v1alpha1.Integration)
		all     []*v1alpha1.Installation
		timeout string
		code    int
		words   []string
	}{
		"failed":   {v1alpha1.PhaseFailed, nil, []*v1alpha1.Installation{installed("web", 1, v1alpha1.PhaseRunning), failed(2)}, "1m", 1, []string{"error: 1 of 2 failed:\n  web on production-cluster-2 is Failed: the chart cannot be installed"}},
		"retried":  {v1alpha1.PhaseFailed, nil, []*v1alpha1.Installation{retried(1)}, "500ms", 1, []string{"1 of 1 are not done after 500ms", "the chart cannot be installed"}},
		"held":     {v1alpha1.PhaseRunning, nil, []*v1alpha1.Installation{held()}, "1m", 1, []string{"a rollback by alice holds it at revision 1"}},
		"stopped":  {v1alpha1.PhaseFailed, stall, []*v1alpha1.Installation{failed(1), waits}, "1m", 1, []string{"2 of 2 failed", "waits for the rollout"}},
		"stalled":  {v1alpha1.PhasePending, stall, nil, "1m", 1, []string{"1 of 1 failed", "the message of web"}},
		"none":     {v1alpha1.PhasePending, nil, nil, "1m", 0, []string{"web: Pending"}},
		"disabled": {v1alpha1.PhaseDisabled, nil, []*v1alpha1.Installation{installed("web", 1, v1alpha1.PhaseDisabled)}, "1m", 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			host := hosttest.New(t)
			c := newClient(t, host)
			c.stdin = webManifest
			c.run("apply", "-f", "-").expect(t, 0)
			play(t, host, test.phase, test.change, test.all...)
			r := c.run("apply", "-f", "-", "--wait", "--timeout", test.timeout)
			r.expect(t, test.code, test.words...)
		})
	}
}

func held() *v1alpha1.Installation {
	i := installed("web", 1, v1alpha1.PhaseRunning)
	i.Status.Hold = &v1alpha1.Hold{Revision: 1, RequestedBy: "alice"}
	return i
}
