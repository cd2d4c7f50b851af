// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// asked is what somebody asked for through a subresource and that was not carried
// out yet; nil for nothing.
func asked(i *v1alpha1.Installation) *v1alpha1.OperationRequest {
	if o := i.Spec.Operation; o != nil && o.ID != i.Status.LastRequest {
		return o
	}
	return nil
}

// askedRollback is a rollback that was asked for and not carried out yet.
func askedRollback(i *v1alpha1.Installation) *v1alpha1.OperationRequest {
	if o := asked(i); o != nil && o.Type == v1alpha1.OperationRollback {
		return o
	}
	return nil
}

// reconcileAsked tells whether somebody wants at once what there is to do,
// whichever way it was asked.
func reconcileAsked(i *v1alpha1.Installation) bool {
	o := asked(i)
	return i.Spec.ReconcileRequest != i.Status.LastReconcileRequest || (o != nil && o.Type == v1alpha1.OperationReconcile)
}

// wantedBy is what a running operation must be for, not to be ended: a rollback
// that was asked for ends whatever else goes on.
func wantedBy(o observed, d decision) string {
	switch d.step {
	case stepDisable:
		return ""
	case stepBringBack:
		return "request " + o.installation.Spec.Operation.ID
	default:
		return o.digest
	}
}

// revisionText names the revision that a rollback brings back.
func revisionText(revision int64) string {
	if revision == 0 {
		return "the revision before the present one"
	}
	return fmt.Sprintf("revision %d", revision)
}

// waitingRollback says that a rollback was asked for and waits; empty where none
// was.
func waitingRollback(i *v1alpha1.Installation) string {
	o := askedRollback(i)
	if o == nil {
		return ""
	}
	return fmt.Sprintf("; the rollback to %s that %s asked for waits", revisionText(o.Revision), o.RequestedBy)
}

// drop notes that what was asked for is not carried out, and why.
func drop(i *v1alpha1.Installation, request *v1alpha1.OperationRequest, why string, now time.Time) {
	if request == nil || i.Status.LastRequest == request.ID {
		return
	}
	finished := metav1.NewTime(now.Truncate(time.Second))
	i.Status.LastRequest = request.ID
	enterOperation(&i.Status, v1alpha1.Operation{
		Type: request.Type, Outcome: v1alpha1.OperationSuperseded, StartedAt: request.RequestedAt, FinishedAt: &finished, Message: why,
		ID: request.ID, RequestedBy: request.RequestedBy, Release: request.Release, Revision: request.Revision,
	})
}

// carriedOut notes that a reconcile was carried out that took no operation: where
// KSIT only probes.
func carriedOut(i *v1alpha1.Installation, request *v1alpha1.OperationRequest, what string, now time.Time) {
	if i.Status.LastRequest == request.ID {
		return
	}
	finished := metav1.NewTime(now.Truncate(time.Second))
	i.Status.LastRequest = request.ID
	enterOperation(&i.Status, v1alpha1.Operation{
		Type: request.Type, Outcome: v1alpha1.OperationSucceeded, StartedAt: request.RequestedAt, FinishedAt: &finished, Message: what,
		ID: request.ID, RequestedBy: request.RequestedBy,
	})
}

// recordOperation enters an operation as the last, and in the list.
func recordOperation(st *v1alpha1.InstallationStatus, operation *operationRecord) {
	st.LastOperation = operation.status()
	enterOperation(st, *operation.status())
}

// enterOperation enters an operation in the list of the last ones, in place of
// what the list has of it already. One that was left running is one whose process
// ended: another would not have begun otherwise.
func enterOperation(st *v1alpha1.InstallationStatus, operation v1alpha1.Operation) {
	for n := range st.Operations {
		if o := &st.Operations[n]; o.Outcome == v1alpha1.OperationRunning && !sameOperation(*o, operation) {
			finished := operation.StartedAt
			o.Outcome, o.FinishedAt, o.Message = v1alpha1.OperationFailed, &finished, cutShort
		}
	}
	if n := slices.IndexFunc(st.Operations, func(o v1alpha1.Operation) bool { return sameOperation(o, operation) }); n >= 0 {
		st.Operations[n] = operation
		return
	}
	st.Operations = slices.Insert(st.Operations, 0, operation)
	if len(st.Operations) > v1alpha1.MaxOperations {
		st.Operations = st.Operations[:v1alpha1.MaxOperations]
	}
}

// cutShort is what is said of an operation that did not come to its end.
const cutShort = "it was cut short: what came after it took up what it left"

func sameOperation(a, b v1alpha1.Operation) bool {
	if a.ID != "" || b.ID != "" {
		return a.ID == b.ID
	}
	return a.Type == b.Type && a.StartedAt.Equal(&b.StartedAt)
}

// held tells whether a rollback that somebody asked for keeps what the spec asks
// for from being installed.
func held(o observed) bool {
	hold := o.installation.Status.Hold
	return hold != nil && hold.Digest == o.digest && !reconcileAsked(o.installation)
}

// heldText says what holds, and what ends it.
func heldText(hold *v1alpha1.Hold) string {
	return fmt.Sprintf("rolled back to revision %d by %s: changes when the spec changes or a reconcile is asked for", hold.Revision, hold.RequestedBy)
}

// decideHeld decides while a rollback that somebody asked for holds.
func decideHeld(o observed) decision {
	i := o.installation
	message := heldText(i.Status.Hold)
	if i.Status.AppliedDigest == "" {
		// To install it again would mean what was rolled back from.
		return decision{step: stepWait, phase: v1alpha1.PhaseFailed, reason: reasonReleaseGone,
			message: "what was brought back is no longer on the target; " + message}
	}
	d := decideSettled(o)
	d.rolledBack = message
	return d
}
