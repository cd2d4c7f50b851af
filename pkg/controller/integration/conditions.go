// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/status"
)

func setConditions(integration *v1alpha1.Integration, wanted selection, sorted []*v1alpha1.Installation, progress progress) {
	s := &integration.Status
	set := func(kind string, value bool, reason, message string) {
		status.Set(&s.Conditions, integration.Generation, kind, status.Bool(value), reason, message)
	}
	set(v1alpha1.ConditionReady, s.Phase == v1alpha1.PhaseRunning, string(s.Phase), s.Message)
	plan := progress.plan
	switch {
	case plan.Stopped:
		set(v1alpha1.ConditionProgressing, false, reasonRolloutStopped, plan.Message)
	case plan.Paused:
		set(v1alpha1.ConditionProgressing, false, "RolloutPaused", plan.Message)
	default:
		switch s.Phase {
		case v1alpha1.PhasePending, v1alpha1.PhaseInstalling, v1alpha1.PhaseUpgrading, v1alpha1.PhaseUninstalling:
			set(v1alpha1.ConditionProgressing, true, string(s.Phase), s.Message)
		default:
			set(v1alpha1.ConditionProgressing, false, string(s.Phase), "no work goes on")
		}
	}
	switch target, stalled := firstStalled(sorted); {
	case plan.Stopped:
		set(v1alpha1.ConditionStalled, true, reasonRolloutStopped, plan.Message)
	case progress.cycle != "":
		set(v1alpha1.ConditionStalled, true, "DependencyCycle", inCircle(progress.cycle))
	case stalled != nil:
		set(v1alpha1.ConditionStalled, true, stalled.Reason, fmt.Sprintf("%s: %s", target, stalled.Message))
	default:
		set(v1alpha1.ConditionStalled, false, "AsExpected", "no target needs help")
	}
	switch {
	case wanted.rights.refuses():
		set(v1alpha1.ConditionTargetsAllowed, false, reasonNotAllowed, wanted.rights.text())
	case len(wanted.rights.unanswered) > 0:
		status.Set(&s.Conditions, integration.Generation, v1alpha1.ConditionTargetsAllowed, metav1.ConditionUnknown, "NotAnswered", wanted.rights.text())
	default:
		status.Remove(&s.Conditions, v1alpha1.ConditionTargetsAllowed)
	}
}

// firstStalled returns the first condition that says that a target needs help,
// and the target.
func firstStalled(sorted []*v1alpha1.Installation) (string, *metav1.Condition) {
	for _, installation := range sorted {
		if stalled := meta.FindStatusCondition(installation.Status.Conditions, v1alpha1.ConditionStalled); stalled != nil && stalled.Status == metav1.ConditionTrue {
			return installation.TargetName(), stalled
		}
	}
	return "", nil
}
