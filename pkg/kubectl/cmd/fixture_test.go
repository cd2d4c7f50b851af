// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/hosttest"
)

// patience bounds what hangs; it measures nothing.
const patience = 60 * time.Second

// noon is the time in all tests.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func before(d time.Duration) metav1.Time { return metav1.NewTime(noon().Add(-d)) }

// result is what a command did.
type result struct {
	out, errOut string
	code        int
}

// client runs commands against a host.
type client struct {
	t          *testing.T
	kubeconfig string
	stdin      string
	env        map[string]string
}

func newClient(t *testing.T, host *hosttest.Host) *client {
	return &client{t: t, kubeconfig: host.Kubeconfig(t, nil)}
}

func (c *client) run(args ...string) result {
	c.t.Helper()
	var out, errOut bytes.Buffer
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	code := c.session(&out, &errOut).run(ctx, c.args(args))
	return result{out.String(), errOut.String(), code}
}

func (c *client) args(args []string) []string {
	args = append(args, "--cache-dir", filepath.Join(c.t.TempDir(), "cache"))
	if len(args) > 1 && args[0] == "targets" && args[1] == "add" {
		return append(args, "--host-kubeconfig", c.kubeconfig)
	}
	return append(args, "--kubeconfig", c.kubeconfig)
}

func (c *client) session(out, errOut interface{ Write([]byte) (int, error) }) *session {
	s := newSession(Streams{In: strings.NewReader(c.stdin), Out: out, ErrOut: errOut})
	s.now = noon
	s.getenv = func(name string) string { return c.env[name] }
	return s
}

// expect fails the test unless the command ended with a code, and said all of
// the words.
func (r result) expect(t *testing.T, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, word := range words {
		if !strings.Contains(r.out+r.errOut, word) {
			t.Errorf("nothing is said of %q", word)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", r.out, r.errOut)
	}
}

// golden compares output with a file; UPDATE_GOLDEN=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); UPDATE_GOLDEN=1 accepts it:\n%s", path, diff)
	}
}

func target(n int) string { return fmt.Sprintf("production-cluster-%d", n) }

func integration(name string, phase v1alpha1.Phase, targets, healthy int) *v1alpha1.Integration {
	return &v1alpha1.Integration{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: name, Generation: 2, CreationTimestamp: before(time.Hour)},
		Spec:       v1alpha1.IntegrationSpec{Type: v1alpha1.IntegrationTypeGeneric},
		Status: v1alpha1.IntegrationStatus{ObservedGeneration: 2, Phase: phase, Targets: int32(targets), Healthy: int32(healthy),
			Version: "1.1.0", Message: "the message of " + name},
	}
}

func installed(integration string, n int, phase v1alpha1.Phase) *v1alpha1.Installation {
	return &v1alpha1.Installation{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "team-a", Name: integration + "." + target(n), Generation: 3, CreationTimestamp: before(time.Hour),
			Labels: map[string]string{v1alpha1.LabelIntegration: integration, v1alpha1.LabelTarget: target(n)},
		},
		Spec: v1alpha1.InstallationSpec{Integration: integration, Target: target(n), Type: v1alpha1.IntegrationTypeGeneric, Enabled: true},
		Status: v1alpha1.InstallationStatus{
			ObservedGeneration: 3, Phase: phase,
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionInstalled, Status: metav1.ConditionTrue}},
			Releases: []v1alpha1.ReleaseStatus{{Name: "web", Namespace: "web", Chart: "podinfo", Version: "1.1.0",
				AppVersion: "6.0", Revision: 2, Objects: 4}},
			Checks: []v1alpha1.CheckResult{{Name: "objects", State: v1alpha1.CheckPassed}},
		},
	}
}

// degraded is an Installation with all there is to say of one.
func degraded(n int) *v1alpha1.Installation {
	i := installed("web", n, v1alpha1.PhaseDegraded)
	finished := before(3 * time.Minute)
	retry := metav1.NewTime(noon().Add(30 * time.Second))
	i.Status.Message = "Deployment web/podinfo: 0 of 2 replicas are available\x1b[2J"
	i.Status.Unhealthy = []v1alpha1.UnhealthyResource{{Kind: "Deployment", Namespace: "web", Name: "podinfo", State: v1alpha1.CheckFailed,
		Reason: "ImagePullBackOff", Message: "image example.com/podinfo:broken cannot be pulled"}}
	for n := range 7 {
		i.Status.Drifted = append(i.Status.Drifted, v1alpha1.DriftedResource{Kind: "ConfigMap", Namespace: "web", Name: fmt.Sprintf("settings-%d", n), Fields: []string{"/data/colour"}})
	}
	i.Status.Drifted[1].Missing = true
	i.Status.Hold = &v1alpha1.Hold{Digest: "sha256:2", Release: "web", Revision: 1, RequestedBy: "alice", Since: before(2 * time.Minute)}
	i.Status.LastOperation = &v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, Outcome: v1alpha1.OperationFailed,
		StartedAt: before(5 * time.Minute), FinishedAt: &finished, RequestedBy: "spec", Message: "timed out"}
	i.Status.NextRetryTime, i.Status.Failures = &retry, 2
	return i
}

func objects[T runtime.Object](all ...T) []runtime.Object {
	var out []runtime.Object
	for _, o := range all {
		out = append(out, o)
	}
	return out
}
