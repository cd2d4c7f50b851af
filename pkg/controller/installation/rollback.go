// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/installer"
)

// rollback brings back the last revision that went through, after all attempts
// to install what the spec asks for have failed. The Installation is Stalled
// then: what runs is not what is asked for.
func (c *Controller) rollback(ctx context.Context, o observed, waiting func()) error {
	connection, connected, err := c.connect(o)
	method, known := c.Installers[methodOf(o.installation)]
	if !connected || !known {
		return err
	}
	begun, operation, err := c.begin(ctx, o, v1alpha1.OperationRollback, "the spent retries")
	if err != nil || begun == nil {
		return err
	}
	req := c.request(begun, o.target)
	req.Waiting = waiting
	timed, cancel := context.WithTimeout(ctx, req.Timeout+grace)
	defer cancel()
	result, err := method.Rollback(timed, connection, req)
	if interrupted, err := c.interrupted(ctx, begun, operation, result); interrupted {
		return err
	}
	operation.end()
	switch {
	case err == nil:
		return c.rolledBack(ctx, begun, operation, result)
	case installer.ReasonOf(err) == installer.ReasonNothingToRollBack:
		return c.notRolledBack(ctx, begun, operation, result, err, true)
	default:
		return c.notRolledBack(ctx, begun, operation, result, err, false)
	}
}

func (c *Controller) rolledBack(ctx context.Context, i *v1alpha1.Installation, operation *operationRecord, result installer.Result) error {
	operation.Outcome = v1alpha1.OperationSucceeded
	operation.Message = fmt.Sprintf("brought back %v", releaseNames(result.Releases))
	err := c.write(ctx, i, func(i *v1alpha1.Installation) {
		st := &i.Status
		recordOperation(st, operation)
		st.Releases = result.Releases
		st.NextRetryTime = nil
		st.Phase = v1alpha1.PhaseFailed
		st.Message = stalledMessage(i, "what went through last was brought back and runs")
		setCondition(i, v1alpha1.ConditionRemediated, metav1.ConditionTrue, reasonRolledBack, operation.Message)
		setCondition(i, v1alpha1.ConditionStalled, metav1.ConditionTrue, reasonRetriesSpent, st.Message)
	})
	operation.succeeded(ctx, i, "releases", releaseNames(result.Releases))
	c.say(i, "rollback after the spent retries: %s", operation.Message)
	c.Events.Eventf(i, nil, "Warning", reasonRolledBack, string(operation.Type), "%s", operation.Message)
	return err
}

// notRolledBack notes a rollback that failed. It is tried again a few times;
// after that, or where there is nothing to go back to, everything is left.
func (c *Controller) notRolledBack(ctx context.Context, i *v1alpha1.Installation, operation *operationRecord, result installer.Result, failure error, final bool) error {
	operation.Outcome = v1alpha1.OperationFailed
	operation.Message = status.Shorten(failure.Error(), status.MaxMessage)
	reason := installer.ReasonOf(failure)
	if reason == installer.ReasonInstallFailed || reason == installer.ReasonNotReady {
		reason = installer.ReasonRollbackFailed
	}
	failures, retries := i.Status.Failures+1, i.Status.Retries
	if installer.SpendsRetry(failure) || reason == installer.ReasonRollbackFailed {
		retries++
	}
	final = final || retries > allowedRetries(i)+maxRollbacks
	next := metav1.NewTime(operation.FinishedAt.Add(retryAfter(retries-allowedRetries(i), false)))
	err := c.write(ctx, i, func(i *v1alpha1.Installation) {
		st := &i.Status
		recordOperation(st, operation)
		if result.Releases != nil {
			st.Releases = result.Releases
		}
		st.Failures, st.Retries, st.NextRetryTime = failures, retries, &next
		st.Phase = v1alpha1.PhaseFailed
		setCondition(i, v1alpha1.ConditionRemediated, metav1.ConditionFalse, string(reason), operation.Message)
		if final {
			st.NextRetryTime = nil
			st.Message = stalledMessage(i, "bringing back what went through last failed as well: "+operation.Message)
			setCondition(i, v1alpha1.ConditionRemediated, metav1.ConditionTrue, reasonLeft, operation.Message)
			setCondition(i, v1alpha1.ConditionStalled, metav1.ConditionTrue, string(reason), st.Message)
		}
	})
	retry := &next
	if final {
		retry = nil
	}
	operation.failed(ctx, i, string(reason), retry, "releases", releaseNames(result.Releases))
	c.say(i, "rollback after the spent retries failed: %s: %s", reason, operation.Message)
	c.Events.Eventf(i, nil, "Warning", string(reason), string(operation.Type), "%s", operation.Message)
	return err
}

// stalledMessage says why an Installation is Stalled, and what ends that.
func stalledMessage(i *v1alpha1.Installation, what string) string {
	why := "the retries are spent"
	for _, condition := range i.Status.Conditions {
		if condition.Type == v1alpha1.ConditionInstalled && condition.Message != "" {
			why += ": " + status.Shorten(condition.Message, status.MaxMessage/2)
		}
	}
	return status.Shorten(fmt.Sprintf("%s; %s. Change the spec, or annotate the Integration with a new value of %s",
		why, status.Shorten(what, status.MaxMessage/4), v1alpha1.AnnotationReconcile), status.MaxMessage)
}
