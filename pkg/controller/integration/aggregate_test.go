// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

func integration() *v1alpha1.Integration {
	return &v1alpha1.Integration{
		ObjectMeta: metav1.ObjectMeta{Name: "argocd", Namespace: "ns", Generation: 3},
		Spec: v1alpha1.IntegrationSpec{
			Type: v1alpha1.IntegrationTypeArgoCD,
			AutoInstall: &v1alpha1.AutoInstall{
				Enabled: true, Method: v1alpha1.InstallMethodHelm,
				HelmConfig: &v1alpha1.HelmConfig{Chart: "argo-cd"},
			},
		},
	}
}

func on(target string, phase v1alpha1.Phase, mutate ...func(*v1alpha1.Installation)) *v1alpha1.Installation {
	i := newInstallation(integration(), installationSpec(integration(), target))
	i.Generation = 1
	i.Status = v1alpha1.InstallationStatus{
		ObservedGeneration: 1, Phase: phase, Message: "says " + target,
		Releases: []v1alpha1.ReleaseStatus{{Name: "argocd", Version: "5.51.6"}},
	}
	meta.SetStatusCondition(&i.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionInstalled, Status: metav1.ConditionTrue, Reason: "Installed"})
	for _, m := range mutate {
		m(i)
	}
	return i
}

func TestAggregate(t *testing.T) {
	both := selection{targets: []string{"one", "two"}}
	stale := func(i *v1alpha1.Installation) { i.Generation = 2 }
	leaving := func(i *v1alpha1.Installation) { i.DeletionTimestamp = &metav1.Time{} }
	const (
		running = v1alpha1.PhaseRunning
		failed  = v1alpha1.PhaseFailed
	)
	for name, tc := range map[string]struct {
		mutate        func(*v1alpha1.Integration)
		wanted        selection
		installations []*v1alpha1.Installation
		progress      progress
		phase         v1alpha1.Phase
		counts        string // targets/installed/healthy/failed
		message       string
	}{
		"all run": {wanted: both, installations: []*v1alpha1.Installation{on("one", running), on("two", running)},
			phase: running, counts: "2/2/2/0", message: "running on 2 of 2"},
		"the worst counts": {wanted: both, installations: []*v1alpha1.Installation{on("one", running), on("two", failed)},
			phase: failed, counts: "2/2/1/1", message: "two: says two"},
		"an order is kept": {wanted: both, installations: []*v1alpha1.Installation{on("one", v1alpha1.PhaseDegraded), on("two", v1alpha1.PhaseUnknown)},
			phase: v1alpha1.PhaseDegraded, counts: "2/2/0/1", message: "one: says one"},
		"one is not made yet": {wanted: both, installations: []*v1alpha1.Installation{on("one", running)},
			phase: v1alpha1.PhasePending, counts: "2/1/1/0", message: "preparing"},
		"what ran with an older spec does not count": {wanted: both, installations: []*v1alpha1.Installation{on("one", running), on("two", running, stale)},
			phase: v1alpha1.PhaseUpgrading, counts: "2/1/1/0", message: "two:"},
		"a dropped target is on its way out": {wanted: selection{targets: []string{"one"}},
			installations: []*v1alpha1.Installation{on("one", running), on("two", running, leaving)},
			phase:         v1alpha1.PhaseUninstalling, counts: "2/2/1/0", message: "two:"},
		"disabled": {mutate: func(i *v1alpha1.Integration) { i.Spec.Enabled = new(bool) }, wanted: both,
			installations: []*v1alpha1.Installation{on("one", v1alpha1.PhaseDisabled), on("two", v1alpha1.PhaseDisabled)},
			phase:         v1alpha1.PhaseDisabled, counts: "2/2/0/0", message: "enabled is false"},
		"a selector that matches nothing": {wanted: selection{selectorMatchesNone: true},
			phase: v1alpha1.PhasePending, counts: "0/0/0/0", message: "matches no IntegrationTarget"},
		"a selector that matches nothing any more": {wanted: selection{selectorMatchesNone: true},
			installations: []*v1alpha1.Installation{on("one", running)},
			phase:         running, counts: "1/1/1/0", message: "is kept"},
		"deleted": {mutate: func(i *v1alpha1.Integration) { i.DeletionTimestamp = &metav1.Time{} },
			installations: []*v1alpha1.Installation{on("one", running, leaving)},
			phase:         v1alpha1.PhaseUninstalling, counts: "1/1/0/0", message: "uninstalling from 1"},
	} {
		t.Run(name, func(t *testing.T) {
			i := integration()
			if tc.mutate != nil {
				tc.mutate(i)
			}
			aggregate(i, tc.wanted, tc.installations, tc.progress)
			s := i.Status
			if s.Phase != tc.phase || !strings.Contains(s.Message, tc.message) {
				t.Errorf("phase %s, message %q; want %s and %q", s.Phase, s.Message, tc.phase, tc.message)
			}
			if counts := fmt.Sprintf("%d/%d/%d/%d", s.Targets, s.Installed, s.Healthy, s.Failed); counts != tc.counts {
				t.Errorf("counts %s, want %s", counts, tc.counts)
			}
			ready := meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReady)
			if ready != (tc.phase == running) {
				t.Errorf("Ready is %v in phase %s", ready, tc.phase)
			}
			if s.ObservedGeneration != 3 {
				t.Errorf("observedGeneration is %d", s.ObservedGeneration)
			}
		})
	}
}

func TestAggregateStaysSmall(t *testing.T) {
	var wanted selection
	var installations []*v1alpha1.Installation
	for n := range 1000 {
		target := fmt.Sprintf("target-%04d", n)
		wanted.targets = append(wanted.targets, target)
		installations = append(installations, on(target, v1alpha1.PhaseFailed, func(i *v1alpha1.Installation) {
			i.Status.Message = strings.Repeat("long ", 1000)
			i.Status.Releases[0].Version = fmt.Sprintf("1.0.%d", n)
		}))
	}
	i := integration()
	aggregate(i, wanted, installations, progress{})
	data, err := i.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 16<<10 {
		t.Errorf("an Integration on 1,000 targets takes %d bytes", len(data))
	}
	if i.Status.Failed != 1000 || len(i.Status.TargetSummaries) != maxSummaries {
		t.Errorf("failed %d, %d summaries", i.Status.Failed, len(i.Status.TargetSummaries))
	}
}
