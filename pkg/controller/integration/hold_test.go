// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// takeBack has somebody roll back what a target has, which then runs.
func (w *world) takeBack(target string) {
	w.t.Helper()
	i := w.installation(target).DeepCopy()
	i.Spec.Operation = &v1alpha1.OperationRequest{ID: "r-" + target, Type: v1alpha1.OperationRollback, RequestedBy: "alice"}
	i, err := w.client.KsitV1alpha1().Installations(i.Namespace).Update(w.t.Context(), i, metav1.UpdateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	i = i.DeepCopy()
	i.Status.Hold = &v1alpha1.Hold{Digest: "sha256:bad", Revision: 1, RequestedBy: "alice"}
	if _, err := w.client.KsitV1alpha1().Installations(i.Namespace).UpdateStatus(w.t.Context(), i, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	w.ends(target, v1alpha1.PhaseRunning)
}

// Where somebody took the change back, it neither stops the rollout nor holds it
// up; and the Integration says so.
func TestRolledBackTargetHoldsUpNobody(t *testing.T) {
	w := running(t, "a", "b", "c")
	w.change(version("2.0.0"))
	w.reconcile()
	w.ends("a", v1alpha1.PhaseRunning)
	w.takeBack("a")
	w.reconcile()
	w.expectTargets(w.hasVersion("2.0.0"), "a", "b")
	w.ends("b", v1alpha1.PhaseRunning)
	w.reconcile()
	w.ends("c", v1alpha1.PhaseRunning)
	w.reconcile()
	w.expectStatus(v1alpha1.PhaseRunning, 3, "a: rolled back to revision 1 by alice")
	if s := w.integration().Status; s.Healthy != 3 || s.Installed > 2 {
		t.Errorf("%d healthy, %d installed", s.Healthy, s.Installed)
	}
	// What was asked for is the API server's to keep.
	if o := w.installation("a").Spec.Operation; o == nil || o.ID != "r-a" {
		t.Errorf("the request became %+v", o)
	}
	// The next change reaches it like any other.
	w.change(version("3.0.0"))
	w.reconcile()
	w.expectTargets(w.hasVersion("3.0.0"), "a")
	if o := w.installation("a").Spec.Operation; o == nil || o.ID != "r-a" {
		t.Errorf("the request became %+v", o)
	}
}

// A rollout that has stopped does not go on because somebody took the change back
// where it failed.
func TestRolledBackTargetLeavesTheRolloutStopped(t *testing.T) {
	w := running(t, "a", "b")
	w.change(version("2.0.0"))
	w.reconcile()
	w.ends("a", v1alpha1.PhaseFailed)
	w.reconcile()
	w.expectCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, reasonRolloutStopped)
	w.takeBack("a")
	w.reconcile()
	w.expectCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, reasonRolloutStopped)
	w.expectTargets(w.hasVersion("2.0.0"), "a")
}
