// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/health"
)

func raw(json string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(json)} }

// TestJudge plays a sequence of probes and follows the phase.
func TestJudge(t *testing.T) {
	const (
		passed      = v1alpha1.CheckPassed
		progressing = v1alpha1.CheckProgressing
		failed      = v1alpha1.CheckFailed
		unknown     = v1alpha1.CheckUnknown
	)
	type probe struct {
		after time.Duration
		state v1alpha1.CheckState
		want  v1alpha1.Phase
	}
	installing := func(o *observed) { o.installation.Status.Phase = v1alpha1.PhaseInstalling }
	probeOnly := func(o *observed) {
		fresh(o)
		o.installation.Spec.AutoInstall = nil
	}
	for name, tc := range map[string]struct {
		start  observed
		probes []probe
	}{
		"a failure counts when it lasts": {upToDate(), []probe{
			{30 * time.Second, failed, v1alpha1.PhaseRunning},
			{30 * time.Second, failed, v1alpha1.PhaseRunning},
			{30 * time.Second, failed, v1alpha1.PhaseDegraded},
			{30 * time.Second, passed, v1alpha1.PhaseRunning},
			{30 * time.Second, failed, v1alpha1.PhaseRunning},
		}},
		"probes that a burst of events brings count once": {upToDate(), []probe{
			{time.Second, failed, v1alpha1.PhaseRunning},
			{time.Second, failed, v1alpha1.PhaseRunning},
			{time.Second, failed, v1alpha1.PhaseRunning},
			{time.Second, failed, v1alpha1.PhaseRunning},
		}},
		"a rollout is no failure": {upToDate(), []probe{
			{30 * time.Second, progressing, v1alpha1.PhaseRunning},
			{5 * time.Minute, progressing, v1alpha1.PhaseRunning},
			{30 * time.Second, passed, v1alpha1.PhaseRunning},
		}},
		"a rollout without end is one": {upToDate(), []probe{
			{30 * time.Second, progressing, v1alpha1.PhaseRunning},
			{11 * time.Minute, progressing, v1alpha1.PhaseRunning},
			{30 * time.Second, progressing, v1alpha1.PhaseRunning},
			{30 * time.Second, progressing, v1alpha1.PhaseDegraded},
			{30 * time.Second, passed, v1alpha1.PhaseRunning},
		}},
		"what starts is Installing until it is up": {upToDate(installing), []probe{
			{time.Second, progressing, v1alpha1.PhaseInstalling},
			{time.Second, failed, v1alpha1.PhaseInstalling},
			{time.Second, passed, v1alpha1.PhaseRunning},
		}},
		"Degraded stays until it is up": {upToDate(func(o *observed) { o.installation.Status.Phase = v1alpha1.PhaseDegraded }), []probe{
			{30 * time.Second, progressing, v1alpha1.PhaseDegraded},
			{30 * time.Second, unknown, v1alpha1.PhaseDegraded},
			{30 * time.Second, passed, v1alpha1.PhaseRunning},
		}},
		"what nobody installed is Pending": {upToDate(probeOnly), []probe{
			{30 * time.Second, failed, v1alpha1.PhasePending},
			{30 * time.Second, failed, v1alpha1.PhasePending},
			{30 * time.Second, failed, v1alpha1.PhasePending},
			{30 * time.Second, passed, v1alpha1.PhaseRunning},
			{30 * time.Second, failed, v1alpha1.PhaseRunning},
			{30 * time.Second, failed, v1alpha1.PhaseRunning},
			{30 * time.Second, failed, v1alpha1.PhaseDegraded},
		}},
		"not to know changes nothing": {upToDate(), []probe{
			{30 * time.Second, unknown, v1alpha1.PhaseRunning},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			o, m := tc.start, &memory{}
			for n, p := range tc.probes {
				o.now = o.now.Add(p.after)
				report := health.Report{State: p.state, Checks: []v1alpha1.CheckResult{{Name: "objects", State: p.state, Message: "m"}}}
				v := judge(o.installation, m, report, o)
				if v.phase != p.want {
					t.Fatalf("probe %d (%s): phase %s, want %s", n, p.state, v.phase, p.want)
				}
				v.enterHealth(o.installation, report)
				v.enter(o.installation, o.installation)
				healthy := metav1.ConditionFalse
				for _, c := range o.installation.Status.Conditions {
					if c.Type == v1alpha1.ConditionHealthy {
						healthy = c.Status
					}
				}
				if (healthy == metav1.ConditionTrue) != (p.state == passed) {
					t.Errorf("probe %d (%s): Healthy is %s", n, p.state, healthy)
				}
			}
		})
	}
}

// TestProbeDoesNotHideAnOperation has an operation fail between a probe and the
// writing of what it found.
func TestProbeDoesNotHideAnOperation(t *testing.T) {
	probed := upToDate().installation
	v := verdict{phase: v1alpha1.PhaseRunning, healthy: metav1.ConditionTrue, reason: "Passed", message: "1 of 1 checks passed"}
	report := health.Report{State: v1alpha1.CheckPassed, Checks: []v1alpha1.CheckResult{{Name: "objects"}}}
	for name, test := range map[string]struct {
		meanwhile func(*v1alpha1.Installation)
		overtaken bool
		phase     v1alpha1.Phase
	}{
		"nothing":    {func(*v1alpha1.Installation) {}, false, v1alpha1.PhaseRunning},
		"a new spec": {func(i *v1alpha1.Installation) { i.Generation++ }, false, v1alpha1.PhaseRunning},
		"a failure": {func(i *v1alpha1.Installation) {
			i.Status.LastOperation = &v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, Outcome: v1alpha1.OperationFailed}
			i.Status.Phase = v1alpha1.PhaseFailed
		}, true, v1alpha1.PhaseFailed},
	} {
		t.Run(name, func(t *testing.T) {
			stored := probed.DeepCopy()
			stored.Status.Phase = v1alpha1.PhaseDegraded
			test.meanwhile(stored)
			overtaken := v.record(stored, probed, report, false)
			if overtaken != test.overtaken || stored.Status.Phase != test.phase {
				t.Errorf("overtaken is %v and the phase %s, want %v and %s", overtaken, stored.Status.Phase, test.overtaken, test.phase)
			}
			if len(stored.Status.Checks) != 1 {
				t.Errorf("the checks are %v", stored.Status.Checks)
			}
		})
	}
}
