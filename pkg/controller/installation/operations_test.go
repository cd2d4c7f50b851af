// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/installer"
)

// ask asks for something as the API server enters it.
func (s *simulation) ask(id string, kind v1alpha1.OperationType, revision int64) {
	s.t.Helper()
	s.change(func(i *v1alpha1.Installation) {
		i.Spec.Operation = &v1alpha1.OperationRequest{ID: id, Type: kind, Revision: revision, RequestedBy: "alice", RequestedAt: metav1.Now()}
		i.Status.Operations = slices.Insert(i.Status.Operations, 0, v1alpha1.Operation{
			Type: kind, Outcome: v1alpha1.OperationPending, StartedAt: metav1.Now(), ID: id, RequestedBy: "alice", Revision: revision})
	})
}

func (s *simulation) operation(id string) v1alpha1.Operation {
	for _, o := range s.get().Status.Operations {
		if o.ID == id {
			return o
		}
	}
	return v1alpha1.Operation{}
}

// TestWeekendAfterARollbackByHand has a rollback end a spent budget, and hold: not
// one more attempt is made until somebody asks.
func TestWeekendAfterARollbackByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.run(time.Minute)
		s.installer.applyErr = installer.Errorf(installer.ReasonNotReady, "Deployment app/app: no image")
		s.change(func(i *v1alpha1.Installation) { i.Spec.AutoInstall.HelmConfig.Version = "2.0.0" })
		s.run(weekend)
		applies, rollbacks := s.installer.applies.Load(), s.installer.rollbacks.Load()

		s.ask("r1", v1alpha1.OperationRollback, 1)
		s.run(weekend)
		if s.installer.applies.Load() != applies || s.installer.rollbacks.Load() != rollbacks+1 {
			t.Errorf("%d applies and %d rollbacks after the one that was asked for", s.installer.applies.Load()-applies, s.installer.rollbacks.Load()-rollbacks)
		}
		i := s.get()
		if hold := i.Status.Hold; hold == nil || hold.Revision != 1 || hold.RequestedBy != "alice" || i.Status.LastRequest != "r1" {
			t.Errorf("hold %+v, last request %q", i.Status.Hold, i.Status.LastRequest)
		}
		if status.IsTrue(i.Status.Conditions, v1alpha1.ConditionStalled) || i.Status.Failures != 0 || s.condition(v1alpha1.ConditionRemediated).Type != "" {
			t.Errorf("the rollback did not end the failure: %+v", i.Status)
		}
		if o := s.operation("r1"); o.Type != v1alpha1.OperationRollback || o.Outcome != v1alpha1.OperationSucceeded || o.RequestedBy != "alice" || o.FinishedAt == nil {
			t.Errorf("recorded as %+v", o)
		}
		// An install, an upgrade with five retries, and two rollbacks.
		if n := len(i.Status.Operations); n != 9 || i.Status.LastOperation.ID != "r1" || i.Status.Operations[0].ID != "r1" {
			t.Errorf("%d operations, the last is %+v", n, i.Status.LastOperation)
		}
		if said := strings.Join(s.log.lines, "\n"); !strings.Contains(said, "asked for by alice") || !strings.Contains(said, "no image") {
			t.Errorf("said:\n%s", said)
		}

		// A reconcile ends the hold, with all retries anew.
		s.ask("c1", v1alpha1.OperationReconcile, 0)
		s.run(weekend)
		if n := s.installer.applies.Load() - applies; n != 6 {
			t.Errorf("%d applies after a reconcile was asked for, want 6", n)
		}
		if i := s.get(); i.Status.Hold != nil || i.Status.LastRequest != "c1" {
			t.Errorf("hold %+v, last request %q", i.Status.Hold, i.Status.LastRequest)
		}
		// And so does a spec.
		s.ask("r2", v1alpha1.OperationRollback, 0)
		s.run(time.Hour)
		if s.get().Status.Hold == nil {
			t.Error("a second rollback does not hold")
		}
		s.installer.applyErr = nil
		s.change(func(i *v1alpha1.Installation) { i.Spec.AutoInstall.HelmConfig.Version = "2.0.1" })
		s.run(time.Minute)
		if i := s.get(); i.Status.Hold != nil || !isUpToDate(i, digestOf(i, upToDate().target)) {
			t.Errorf("a spec that works does not end the hold: %+v", i.Status)
		}
	})
}

// A rollback that fails is not tried again, and where nothing came of it nothing
// is held back.
func TestRollbackByHandThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.run(time.Minute)
		s.installer.rollbackErr = installer.Terminalf(installer.ReasonRevisionNotFound, "there is no revision 9: there are 1 (deployed)")
		s.ask("r1", v1alpha1.OperationRollback, 9)
		s.run(weekend)
		if o := s.operation("r1"); o.Outcome != v1alpha1.OperationFailed || !strings.Contains(o.Message, "there are 1") || s.get().Status.Hold != nil {
			t.Errorf("recorded as %+v, hold %+v", o, s.get().Status.Hold)
		}
		s.installer.rollbackErr = installer.Errorf(installer.ReasonRollbackFailed, "not ready")
		s.ask("r2", v1alpha1.OperationRollback, 1)
		s.run(weekend)
		i := s.get()
		if o := s.operation("r2"); o.Outcome != v1alpha1.OperationFailed || i.Status.Hold == nil || i.Status.Phase != v1alpha1.PhaseFailed {
			t.Errorf("recorded as %+v, hold %+v, phase %s", o, i.Status.Hold, i.Status.Phase)
		}
		if n := s.installer.rollbacks.Load(); n != 2 {
			t.Errorf("%d rollbacks for two requests", n)
		}
		if n := s.installer.applies.Load(); n != 1 {
			t.Errorf("%d applies, want the first alone", n)
		}
	})
}

// What was asked for and cannot be done any more does not happen later.
func TestRequestIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.run(time.Minute)
		s.change(func(i *v1alpha1.Installation) { i.Spec.Enabled = false })
		s.ask("r1", v1alpha1.OperationRollback, 1)
		s.run(time.Hour)
		s.change(func(i *v1alpha1.Installation) { i.Spec.Enabled = true })
		s.run(time.Hour)
		if o := s.operation("r1"); o.Outcome != v1alpha1.OperationSuperseded || s.installer.rollbacks.Load() != 0 {
			t.Errorf("recorded as %+v after %d rollbacks", o, s.installer.rollbacks.Load())
		}
	})
}

// A successor takes up the rollback that a process was killed in.
func TestRollbackByHandIsTakenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.run(time.Minute)
		s.change(func(i *v1alpha1.Installation) { i.Spec.AutoInstall.HelmConfig.Version = "2.0.0" })
		s.run(time.Minute)
		s.ask("r1", v1alpha1.OperationRollback, 1)
		// The first process ends in the midst of it.
		ctx, kill := context.WithCancel(t.Context())
		s.installer.during = func(context.Context) error {
			kill()
			return errors.New("killed")
		}
		if _, err := s.controller.Operate(ctx, s.key); err == nil {
			t.Fatal("it did not end")
		}
		if o := s.operation("r1"); o.Outcome != v1alpha1.OperationRunning || s.get().Status.LastRequest != "" {
			t.Fatalf("recorded as %+v", o)
		}
		s.installer.during = nil
		s.run(time.Minute)
		if o := s.operation("r1"); o.Outcome != v1alpha1.OperationSucceeded || s.get().Status.Hold == nil || s.installer.rollbacks.Load() != 2 {
			t.Errorf("recorded as %+v, hold %+v", o, s.get().Status.Hold)
		}
	})
}

// A rollback ends the wait of an upgrade.
func TestRollbackByHandEndsAWait(t *testing.T) {
	var running operations
	upgrade := upToDate(func(o *observed) { o.digest = "sha256:other" })
	ctx, op, _ := running.begin(t.Context(), keyOf(upgrade), wantedBy(upgrade, decide(upgrade)))
	defer op.end()
	if busy := running.supersede(keyOf(upgrade), wantedBy(upgrade, decide(upgrade))); !busy || ctx.Err() != nil {
		t.Fatal("it does not go on by itself")
	}
	upgrade.installation.Spec.Operation = &v1alpha1.OperationRequest{ID: "r1", Type: v1alpha1.OperationRollback}
	running.supersede(keyOf(upgrade), wantedBy(upgrade, decide(upgrade)))
	if !errors.Is(context.Cause(ctx), errSuperseded) {
		t.Errorf("it goes on: %v", context.Cause(ctx))
	}
}

func keyOf(o observed) types.NamespacedName {
	return types.NamespacedName{Namespace: o.installation.Namespace, Name: o.installation.Name}
}

func TestOperationsAreBounded(t *testing.T) {
	st := &v1alpha1.InstallationStatus{}
	for n := range 2 * v1alpha1.MaxOperations {
		at := metav1.NewTime(testNow.Add(time.Duration(n) * time.Second))
		enterOperation(st, v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, Outcome: v1alpha1.OperationRunning, StartedAt: at})
		if n%2 == 0 {
			enterOperation(st, v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, Outcome: v1alpha1.OperationSucceeded, StartedAt: at})
		}
	}
	if len(st.Operations) != v1alpha1.MaxOperations {
		t.Fatalf("%d operations are kept", len(st.Operations))
	}
	for n, o := range st.Operations {
		want := v1alpha1.OperationSucceeded
		switch {
		case n == 0:
			want = v1alpha1.OperationRunning
		case n%2 == 0:
			want = v1alpha1.OperationFailed
		}
		if o.Outcome != want || (n > 0 && o.StartedAt.After(st.Operations[n-1].StartedAt.Time)) {
			t.Errorf("operation %d is %+v, want it %s", n, o, want)
		}
	}
}
