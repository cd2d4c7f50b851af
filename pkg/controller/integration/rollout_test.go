// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

func oneByOne(i *v1alpha1.Integration) {
	one := intstr.FromInt32(1)
	i.Spec.Rollout = &v1alpha1.Rollout{MaxConcurrent: &one, StopAfterFailures: &one}
}

func version(text string) func(*v1alpha1.Integration) {
	return func(i *v1alpha1.Integration) { i.Spec.AutoInstall.HelmConfig.Version = text }
}

// hasVersion returns the targets whose Installation may install a version.
func (w *world) hasVersion(text string) []string {
	w.t.Helper()
	return w.names(func(i *v1alpha1.Installation) bool {
		return i.Spec.AutoInstall.HelmConfig.Version == text && i.Spec.WaitsFor == ""
	})
}

func (w *world) expectTargets(got []string, want ...string) {
	w.t.Helper()
	if !slices.Equal(got, want) {
		w.t.Fatalf("got %q, want %q", got, want)
	}
}

func (w *world) expectStatus(phase v1alpha1.Phase, updated int32, message string) {
	w.t.Helper()
	s := w.integration().Status
	if s.Phase != phase || s.Updated != updated || !strings.Contains(s.Message, message) {
		w.t.Fatalf("%s, updated %d: %q\nwant %s, updated %d: %q", s.Phase, s.Updated, s.Message, phase, updated, message)
	}
}

func (w *world) expectCondition(kind string, status metav1.ConditionStatus, reason string) {
	w.t.Helper()
	c := meta.FindStatusCondition(w.integration().Status.Conditions, kind)
	if c == nil || c.Status != status || c.Reason != reason {
		w.t.Fatalf("condition %s: %+v, want %s %s", kind, c, status, reason)
	}
}

// running is a fleet that runs version 1.0.0, one by one from now on.
func running(t *testing.T, targets ...string) *world {
	t.Helper()
	w := newWorld(t, version("1.0.0"), targets...)
	w.reconcile()
	for _, target := range targets {
		w.ends(target, v1alpha1.PhaseRunning)
	}
	w.change(oneByOne)
	w.reconcile()
	w.expectStatus(v1alpha1.PhaseRunning, int32(len(targets)), "running on")
	return w
}

func TestFirstInstallsTakeTurns(t *testing.T) {
	w := newWorld(t, func(i *v1alpha1.Integration) { oneByOne(i); version("1.0.0")(i) }, "a", "b")
	w.reconcile()
	w.expectTargets(w.hasVersion("1.0.0"), "a")
	waiting := w.installation("b").Spec
	if waiting.AutoInstall.HelmConfig.Version != "1.0.0" || waiting.WaitsFor != "its turn in the rollout: at most 1 at once" {
		t.Errorf("the one that waits: %+v", waiting)
	}
	w.expectStatus(v1alpha1.PhasePending, 1, "1 of 2 clusters updated; at most 1 change at once")

	// What was never begun anywhere may change while it waits.
	w.change(version("1.1.0"))
	w.reconcile()
	if got := w.installation("b").Spec.AutoInstall.HelmConfig.Version; got != "1.1.0" {
		t.Errorf("the one that waits has version %s", got)
	}
	w.expectTargets(w.hasVersion("1.1.0"), "a")
	w.ends("a", v1alpha1.PhaseRunning)
	w.reconcile()
	w.expectTargets(w.hasVersion("1.1.0"), "a", "b")
}

// comesFirst is the Installation of another Integration on a target.
func comesFirst(target string, phase v1alpha1.Phase) *v1alpha1.Installation {
	return &v1alpha1.Installation{
		ObjectMeta: metav1.ObjectMeta{Namespace: integration().Namespace, Name: "cert-manager." + target},
		Spec: v1alpha1.InstallationSpec{Integration: "cert-manager", Target: target,
			AutoInstall: &v1alpha1.AutoInstall{HelmConfig: &v1alpha1.HelmConfig{Version: "9.9.9"}}},
		Status: v1alpha1.InstallationStatus{Phase: phase},
	}
}

// TestADependencyHoldsNoSlot has a change pass by a cluster on which another
// Integration must run first, and come to it when that runs.
func TestADependencyHoldsNoSlot(t *testing.T) {
	w := running(t, "a", "b", "c")
	w.add(comesFirst("b", v1alpha1.PhaseRunning))
	w.add(comesFirst("c", v1alpha1.PhaseInstalling))
	w.change(func(i *v1alpha1.Integration) {
		version("2.0.0")(i)
		i.Spec.DependsOn = []v1alpha1.IntegrationDependency{{Name: "cert-manager"}}
	})
	w.reconcile()
	w.expectTargets(w.hasVersion("2.0.0"), "b")
	for _, target := range []string{"a", "c"} {
		if waits := w.installation(target).Spec.WaitsFor; !strings.Contains(waits, "spec.dependsOn") {
			t.Errorf("%s waits for %q", target, waits)
		}
	}
	w.ends("b", v1alpha1.PhaseRunning)
	w.reconcile()
	w.expectTargets(w.hasVersion("2.0.0"), "b")
	w.expectStatus(v1alpha1.PhaseUpgrading, 1, "1 of 3 clusters updated; the others wait for what they depend on")

	w.add(comesFirst("a", v1alpha1.PhaseRunning))
	w.reconcile()
	w.expectTargets(w.hasVersion("2.0.0"), "a", "b")
}

func TestWhoWaitsKeepsWhatItRuns(t *testing.T) {
	w := running(t, "a", "b", "c")
	for _, target := range []string{"a", "b", "c"} {
		w.add(comesFirst(target, v1alpha1.PhaseRunning))
	}
	w.change(func(i *v1alpha1.Integration) {
		version("2.0.0")(i)
		i.Spec.Config = map[string]string{"namespace": "other"}
		i.Spec.AutoInstall.CRDPolicy = v1alpha1.CRDPolicySkip
		i.Spec.AutoInstall.DeletionPolicy = v1alpha1.DeletionPolicyOrphan
		i.Spec.DependsOn = []v1alpha1.IntegrationDependency{{Name: "cert-manager"}}
	})
	w.reconcile()
	w.expectTargets(w.hasVersion("2.0.0"), "a")
	w.expectTargets(w.names(func(i *v1alpha1.Installation) bool { return i.Spec.WaitsFor != "" }), "b", "c")
	held := w.installation("b").Spec
	if held.AutoInstall.HelmConfig.Version != "1.0.0" || held.Config["namespace"] != "" || held.AutoInstall.CRDPolicy != "" {
		t.Errorf("what is installed changes out of turn: %+v", held)
	}
	if held.AutoInstall.DeletionPolicy != v1alpha1.DeletionPolicyOrphan || len(held.DependsOn) != 1 {
		t.Errorf("what is not installed waits: %+v", held)
	}
	w.expectStatus(v1alpha1.PhaseUpgrading, 1, "1 of 3 clusters updated; at most 1 change at once")
	w.expectCondition(v1alpha1.ConditionProgressing, metav1.ConditionTrue, "Upgrading")
	if phase := phaseOf(w.installation("b")); phase != v1alpha1.PhaseRunning {
		t.Errorf("a cluster that waits, and runs what it ran, is %s", phase)
	}
	for _, target := range []string{"a", "b"} {
		w.ends(target, v1alpha1.PhaseRunning)
		w.reconcile()
	}
	w.expectTargets(w.hasVersion("2.0.0"), "a", "b", "c")
	w.ends("c", v1alpha1.PhaseRunning)
	w.reconcile()
	w.expectStatus(v1alpha1.PhaseRunning, 3, "running on 3 of 3")
}

func TestAFailureStopsTheRollout(t *testing.T) {
	w := running(t, "a", "b", "c")
	w.change(version("2.0.0"))
	w.reconcile()
	w.ends("a", v1alpha1.PhaseFailed)
	w.reconcile()
	const stopped = "1 of 3 clusters updated; rollout stopped after 1 failure, on a: fix it, then change the spec or annotate reconcile"
	w.expectStatus(v1alpha1.PhaseFailed, 1, stopped)
	w.expectCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, "RolloutStopped")
	w.expectCondition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, "RolloutStopped")

	t.Run("it stays stopped when the failure passes", func(t *testing.T) {
		w.ends("a", v1alpha1.PhaseRunning)
		w.reconcile()
		w.expectTargets(w.hasVersion("2.0.0"), "a")
		w.expectStatus(v1alpha1.PhaseUpgrading, 1, "annotate reconcile to go on")
	})
	t.Run("a reconcile begins anew", func(t *testing.T) {
		w.ends("a", v1alpha1.PhaseFailed)
		w.reconcile()
		w.change(func(i *v1alpha1.Integration) { i.Annotations = map[string]string{v1alpha1.AnnotationReconcile: "1"} })
		w.reconcile()
		w.expectCondition(v1alpha1.ConditionStalled, metav1.ConditionFalse, "AsExpected")
		w.expectTargets(w.hasVersion("2.0.0"), "a")
		w.ends("a", v1alpha1.PhaseRunning)
		w.reconcile()
		w.expectTargets(w.hasVersion("2.0.0"), "a", "b")
	})
	t.Run("a new spec begins anew, where it failed first", func(t *testing.T) {
		w.ends("b", v1alpha1.PhaseFailed)
		w.reconcile()
		w.expectCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, "RolloutStopped")
		w.change(version("2.0.1"))
		w.reconcile()
		w.expectTargets(w.hasVersion("2.0.1"), "b")
		w.expectCondition(v1alpha1.ConditionStalled, metav1.ConditionFalse, "AsExpected")
	})
}

func TestWhoDidNotGetAChangeNeedsNoTurnWhenItIsTakenBack(t *testing.T) {
	w := running(t, "a", "b", "c")
	w.change(version("2.0.0"))
	w.reconcile()
	w.ends("a", v1alpha1.PhaseFailed)
	w.change(version("1.0.0"))
	w.reconcile()
	w.expectTargets(w.hasVersion("1.0.0"), "b", "c")
	w.ends("b", v1alpha1.PhaseRunning)
	w.ends("c", v1alpha1.PhaseRunning)
	w.reconcile()
	w.expectTargets(w.hasVersion("1.0.0"), "a", "b", "c")
}

func TestPausedAndDisabledBeginNothing(t *testing.T) {
	for name, hold := range map[string]func(*v1alpha1.Integration){
		"paused":   func(i *v1alpha1.Integration) { i.Spec.Rollout.Paused = true },
		"disabled": func(i *v1alpha1.Integration) { i.Spec.Enabled = new(bool) },
	} {
		t.Run(name, func(t *testing.T) {
			w := running(t, "a", "b")
			w.change(func(i *v1alpha1.Integration) { hold(i); version("2.0.0")(i) })
			w.reconcile()
			w.expectTargets(w.hasVersion("2.0.0"))
			w.expectCondition(v1alpha1.ConditionProgressing, metav1.ConditionFalse, "RolloutPaused")
		})
	}
}

func TestUnreachableTargetsHoldUpNothing(t *testing.T) {
	w := running(t, "a", "b", "c")
	away := readyTarget("a")
	away.Status.Ready = false
	w.check(w.client.Tracker().Update(v1alpha1.SchemeGroupVersion.WithResource("integrationtargets"), away, "ns"))
	w.ends("a", v1alpha1.PhaseUnknown)
	w.change(version("2.0.0"))
	w.reconcile()
	w.expectTargets(w.hasVersion("2.0.0"), "b")
	w.ends("b", v1alpha1.PhaseRunning)
	w.reconcile()
	w.ends("c", v1alpha1.PhaseRunning)
	w.reconcile()
	w.expectTargets(w.hasVersion("2.0.0"), "b", "c")
	w.expectStatus(v1alpha1.PhaseUnknown, 2, "2 of 3 clusters updated; the others cannot be reached")
	w.check(w.client.Tracker().Update(v1alpha1.SchemeGroupVersion.WithResource("integrationtargets"), readyTarget("a"), "ns"))
	w.ends("a", v1alpha1.PhaseRunning)
	w.reconcile()
	w.expectTargets(w.hasVersion("2.0.0"), "a", "b", "c")
}

func TestASoakTimeWakesTheController(t *testing.T) {
	w := running(t, "a", "b")
	soak := int32(3600)
	w.change(func(i *v1alpha1.Integration) {
		version("2.0.0")(i)
		i.Spec.Rollout.Partitions = []v1alpha1.RolloutPartition{{
			Name: "canary", SoakSeconds: &soak, TargetSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"name": "b"}},
		}}
	})
	w.reconcile()
	w.expectTargets(w.hasVersion("2.0.0"), "b")
	w.ends("b", v1alpha1.PhaseInstalling)
	w.ends("b", v1alpha1.PhaseRunning)
	if after := w.reconcile(); after <= 0 || after > time.Hour {
		t.Errorf("looks again after %s", after)
	}
	w.expectTargets(w.hasVersion("2.0.0"), "b")
	w.expectStatus(v1alpha1.PhaseUpgrading, 1, "partition canary soaks until")
}

// A cache that lags must not make the controller begin twice.
func TestStaleCachesBeginNothing(t *testing.T) {
	w := running(t, "a", "b", "c")
	w.change(version("2.0.0"))
	w.sync()
	if _, err := w.controller.Reconcile(t.Context(), worldKey); err != nil {
		t.Fatal(err)
	}
	w.expectTargets(w.hasVersion("2.0.0"), "a")
	w.client.ClearActions()
	after, err := w.controller.Reconcile(t.Context(), worldKey)
	if err != nil || after != settle || w.writes() != 0 {
		t.Errorf("after %s (error %v) with %d writes", after, err, w.writes())
	}
}
