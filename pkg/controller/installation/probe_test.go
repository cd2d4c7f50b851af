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
