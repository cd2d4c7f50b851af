// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/installer"
)

// lastWords bounds the writes that are still made after an operation's context
// ended.
const lastWords = 5 * time.Second

// operationRecord is an operation on its way to the status and to the log.
type operationRecord struct {
	v1alpha1.Operation
	// began is StartedAt to the point, and attempt counts how often the same was
	// tried, this time included.
	began   time.Time
	attempt int32
}

// newRecord is an operation that begins.
func newRecord(o observed, kind v1alpha1.OperationType, by string) *operationRecord {
	return &operationRecord{began: o.now, attempt: 1, Operation: v1alpha1.Operation{
		Type:        kind,
		Outcome:     v1alpha1.OperationRunning,
		StartedAt:   metav1.NewTime(o.now.Truncate(time.Second)),
		RequestedBy: by,
	}}
}

// end notes when it ended.
func (r *operationRecord) end() {
	finished := metav1.NewTime(time.Now().Truncate(time.Second))
	r.FinishedAt = &finished
}

func (r *operationRecord) status() *v1alpha1.Operation { return r.Operation.DeepCopy() }

// subject says what an operation is about.
func (r *operationRecord) subject(i *v1alpha1.Installation) string {
	switch {
	case r.Type == v1alpha1.OperationRollback && r.ID != "":
		if r.Release != "" {
			return revisionText(r.Revision) + " of release " + r.Release
		}
		return revisionText(r.Revision)
	case r.Type == v1alpha1.OperationRollback:
		return "the last revision that went through"
	case r.Type == v1alpha1.OperationCorrect:
		return "what is not as it was applied"
	default:
		return what(i)
	}
}

// begin enters an operation that begins. It is recorded before the first request
// to the target: should this process be killed, its successor, and an
// uninstall, know that there may be something. It returns nil for an
// Installation that is gone.
func (c *Controller) begin(ctx context.Context, o observed, kind v1alpha1.OperationType, by string) (*v1alpha1.Installation, *operationRecord, error) {
	record := newRecord(o, kind, by)
	begun, err := c.enter(ctx, o, record)
	return begun, record, err
}

// enter enters an operation that begins: see begin.
func (c *Controller) enter(ctx context.Context, o observed, record *operationRecord) (*v1alpha1.Installation, error) {
	begun, err := status.Write(ctx, c.Client.Installations(o.installation.Namespace), o.installation, func(i *v1alpha1.Installation) {
		enterBegin(i, o, record)
	})
	if err != nil || begun == nil {
		return nil, err
	}
	switch {
	case record.Type == v1alpha1.OperationCorrect, record.Type == v1alpha1.OperationRollback && record.ID != "":
		// What failed before was something else.
	default:
		record.attempt = begun.Status.Failures + 1
	}
	record.traceBegin(ctx)
	klog.FromContext(ctx).V(1).Info("Operation began", "operation", record.Type, "integration", begun.Spec.Integration, "target", begun.TargetName(), "requestedBy", record.RequestedBy)
	if hold := o.installation.Status.Hold; hold != nil && begun.Status.Hold == nil {
		c.say(begun, "the rollback to revision %d by %s no longer holds", hold.Revision, hold.RequestedBy)
	}
	c.say(begun, "%s begins, asked for by %s: %s", record.Type, record.RequestedBy, record.subject(begun))
	return begun, nil
}

// enterBegin clears what was counted for something else than what begins. What
// is entered as seen is what was decided by: the Installation may have been
// changed since, and that must not count as carried out.
func enterBegin(i *v1alpha1.Installation, o observed, record *operationRecord) {
	st := &i.Status
	if record.Type == v1alpha1.OperationRollback && record.ID != "" {
		// What was asked for is only noted as carried out at the end.
		recordOperation(st, record)
		st.ObservedGeneration = o.installation.Generation
		st.Phase = v1alpha1.PhaseUpgrading
		st.Message = fmt.Sprintf("rolling back to %s, as %s asked", revisionText(record.Revision), record.RequestedBy)
		setCondition(i, v1alpha1.ConditionReady, metav1.ConditionFalse, "RollingBack", st.Message)
		return
	}
	if st.AttemptedDigest != o.attempt || reconcileAsked(o.installation) {
		st.Failures, st.Retries, st.NextRetryTime = 0, 0, nil
		status.Remove(&st.Conditions, v1alpha1.ConditionRemediated)
	}
	st.AttemptedDigest = o.attempt
	st.ObservedGeneration = o.installation.Generation
	st.LastReconcileRequest = o.installation.Spec.ReconcileRequest
	if request := asked(o.installation); request != nil {
		st.LastRequest = request.ID
	}
	recordOperation(st, record)
	phase, verb := v1alpha1.PhaseInstalling, "installing"
	switch record.Type {
	case v1alpha1.OperationUpgrade:
		phase, verb = v1alpha1.PhaseUpgrading, "upgrading"
	case v1alpha1.OperationRollback, v1alpha1.OperationCorrect:
		// What was said of the failure, or of the health, stands.
		return
	}
	// What a rollback held back is asked for anew, or something else is.
	st.Hold = nil
	if st.Failures == 0 || st.Phase != v1alpha1.PhaseFailed {
		// While it is tried again after it Failed, it stays Failed.
		st.Phase = phase
		st.Message = verb
		setCondition(i, v1alpha1.ConditionReady, metav1.ConditionFalse, string(phase), verb)
	}
}

// interrupted tells whether an operation was cut short: by a new spec, for a
// target that was lost, or by the end of the process. The next operation takes
// up what it left.
func (c *Controller) interrupted(ctx context.Context, i *v1alpha1.Installation, record *operationRecord, result installer.Result) (bool, error) {
	if ctx.Err() == nil {
		return false, nil
	}
	why := context.Cause(ctx)
	if !errors.Is(why, errSuperseded) && !errors.Is(why, errTargetLost) {
		record.wasCutShort(ctx, i, "ProcessStops", errors.New("the process stops: its successor takes up what is left"))
		return true, ctx.Err()
	}
	reason := "Superseded"
	if errors.Is(why, errTargetLost) {
		reason = reasonTargetNotReady
	}
	record.wasCutShort(ctx, i, reason, why)
	c.say(i, "%s is cut short: %v", record.Type, why)
	if result.Releases == nil {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	return true, c.write(ctx, i, func(i *v1alpha1.Installation) { i.Status.Releases = result.Releases })
}

// failure is what one more failed attempt amounts to.
type failure struct {
	failures, retries int32
	// next is when it is tried again; nil when it is not, or rolled back at once.
	next *metav1.Time
	// spent is true when this attempt was the last; left when nothing is rolled
	// back either.
	spent, left bool
}

func countFailure(i *v1alpha1.Installation, err error, now time.Time) failure {
	f := failure{failures: i.Status.Failures + 1, retries: i.Status.Retries}
	if installer.SpendsRetry(err) {
		f.retries++
		if installer.IsTerminal(err) {
			// The same again would only leave more traces on the target.
			f.retries = max(f.retries, allowedRetries(i)+1)
		}
	}
	counted := i.DeepCopy()
	counted.Status.Retries = f.retries
	f.spent = isSpent(counted)
	f.left = f.spent && !mayRollBack(counted)
	if !f.spent {
		next := now.Add(retryAfter(f.failures, installer.IsTerminal(err)))
		f.next = &metav1.Time{Time: next.Truncate(time.Second)}
	}
	return f
}

// message says what failed and what comes of it.
func (f failure) message(what string) string {
	switch {
	case f.left:
		return fmt.Sprintf("attempt %d failed: %s; the retries are spent, and it is left as it is: change the spec, or annotate the Integration with a new value of %s",
			f.failures, what, v1alpha1.AnnotationReconcile)
	case f.spent:
		return fmt.Sprintf("attempt %d failed: %s; the retries are spent, and the last revision that went through is brought back", f.failures, what)
	default:
		return fmt.Sprintf("attempt %d failed: %s; the next is at %s", f.failures, what, f.next.UTC().Format("15:04:05 MST"))
	}
}

func releaseNames(releases []v1alpha1.ReleaseStatus) []string {
	names := make([]string, 0, len(releases))
	for _, r := range releases {
		names = append(names, fmt.Sprintf("%s/%s@%s", r.Namespace, r.Name, r.Version))
	}
	return names
}
