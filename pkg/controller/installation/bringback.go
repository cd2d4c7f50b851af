// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/installer"
)

// Reasons of a rollback that somebody asked for.
const (
	reasonRolledBackByHand = "RolledBackByHand"
	reasonReleaseGone      = "ReleaseMissing"
)

// bringBack carries out a rollback that somebody asked for, and sees to it that
// what it was rolled back from is not installed again by itself. Until its end
// the request stands: whoever finds it carries it out.
func (c *Controller) bringBack(ctx context.Context, o observed, waiting func()) error {
	asked := askedRollback(o.installation)
	connection, connected, err := c.connect(o)
	method, known := c.Installers[methodOf(o.installation)]
	if asked == nil || !connected || !known {
		return err
	}
	operation := newRecord(o, v1alpha1.OperationRollback, asked.RequestedBy)
	operation.ID, operation.Release, operation.Revision = asked.ID, asked.Release, asked.Revision
	begun, err := c.enter(ctx, o, operation)
	if err != nil || begun == nil {
		return err
	}
	req := c.request(begun, o.target)
	req.Waiting = waiting
	req.To = &installer.Revision{Release: asked.Release, Number: asked.Revision}
	req.Hold = &v1alpha1.Hold{Digest: o.digest, RequestedBy: operation.RequestedBy, Since: operation.StartedAt}
	timed, cancel := context.WithTimeout(ctx, req.Timeout+grace)
	defer cancel()
	var result installer.Result
	if err = mayAct(timed, connection); err == nil {
		result, err = method.Rollback(timed, connection, req)
	}
	if interrupted, err := c.interrupted(ctx, begun, operation, result); interrupted {
		return err
	}
	operation.end()
	if result.To.Number != 0 {
		operation.Release, operation.Revision = result.To.Release, result.To.Number
	}
	if err != nil {
		return c.notBroughtBack(ctx, o, begun, operation, result, err)
	}
	return c.broughtBack(ctx, o, begun, operation, result)
}

func (c *Controller) broughtBack(ctx context.Context, o observed, i *v1alpha1.Installation, operation *operationRecord, result installer.Result) error {
	operation.Outcome = v1alpha1.OperationSucceeded
	operation.Message = fmt.Sprintf("revision %d of the release %s was brought back: %v", operation.Revision, operation.Release, releaseNames(result.Releases))
	if !result.Changed {
		operation.Message = fmt.Sprintf("revision %d of the release %s is what is installed", operation.Revision, operation.Release)
	}
	err := c.write(ctx, i, func(i *v1alpha1.Installation) {
		st := &i.Status
		if !result.Changed && isUpToDate(i, o.digest) {
			// It is what the spec asks for: there is nothing to hold back.
			st.LastRequest = operation.ID
			recordOperation(st, operation)
			return
		}
		enterHold(i, o, operation, result)
		st.Failures, st.Retries, st.NextRetryTime = 0, 0, nil
		st.Drifted = nil
		st.Message = heldText(st.Hold) + "; its health is being probed"
		setCondition(i, v1alpha1.ConditionInstalled, metav1.ConditionTrue, reasonRolledBackByHand, operation.Message)
		setCondition(i, v1alpha1.ConditionStalled, metav1.ConditionFalse, reasonRolledBackByHand, "needs no help: "+heldText(st.Hold))
		status.Remove(&st.Conditions, v1alpha1.ConditionRemediated)
		status.Remove(&st.Conditions, v1alpha1.ConditionDrifted)
	})
	operation.succeeded(ctx, i, "releases", releaseNames(result.Releases), "revision", operation.Revision)
	c.say(i, "rollback: %s", operation.Message)
	if result.Changed {
		c.say(i, "nothing else is installed until the spec changes or a reconcile is asked for")
	}
	c.Events.Eventf(i, nil, "Normal", reasonRolledBackByHand, string(operation.Type), "%s, as %s asked", operation.Message, operation.RequestedBy)
	return err
}

// notBroughtBack notes a rollback that failed. It is not tried again: who asked
// sees why, and asks for something else. Where it had begun to change the target,
// what it was to be rolled back from is held back all the same.
func (c *Controller) notBroughtBack(ctx context.Context, o observed, i *v1alpha1.Installation, operation *operationRecord, result installer.Result, failure error) error {
	operation.Outcome = v1alpha1.OperationFailed
	operation.Message = status.Shorten(failure.Error(), status.MaxMessage)
	reason := installer.ReasonOf(failure)
	err := c.write(ctx, i, func(i *v1alpha1.Installation) {
		st := &i.Status
		if !result.Changed {
			st.LastRequest = operation.ID
			recordOperation(st, operation)
			st.Phase = o.installation.Status.Phase
			st.Message = status.Shorten(fmt.Sprintf("the rollback that %s asked for failed: %s", operation.RequestedBy, operation.Message), status.MaxMessage)
			return
		}
		enterHold(i, o, operation, result)
		st.NextRetryTime = nil
		st.Phase = v1alpha1.PhaseFailed
		st.Message = status.Shorten(fmt.Sprintf("the rollback to revision %d that %s asked for failed: %s; nothing more is done until the spec changes or a reconcile or another rollback is asked for",
			operation.Revision, operation.RequestedBy, status.Shorten(operation.Message, status.MaxMessage/2)), status.MaxMessage)
		setCondition(i, v1alpha1.ConditionInstalled, metav1.ConditionFalse, string(reason), operation.Message)
		setCondition(i, v1alpha1.ConditionReady, metav1.ConditionFalse, string(reason), operation.Message)
		setCondition(i, v1alpha1.ConditionStalled, metav1.ConditionTrue, string(reason), st.Message)
	})
	operation.failed(ctx, i, string(reason), nil, "releases", releaseNames(result.Releases), "revision", operation.Revision)
	c.say(i, "rollback failed: %s: %s", reason, operation.Message)
	c.Events.Eventf(i, nil, "Warning", string(reason), string(operation.Type), "%s", operation.Message)
	return err
}

// enterHold enters the end of a rollback that changed what is installed.
func enterHold(i *v1alpha1.Installation, o observed, operation *operationRecord, result installer.Result) {
	st := &i.Status
	st.LastRequest = operation.ID
	recordOperation(st, operation)
	if result.Releases != nil {
		st.Releases = result.Releases
	}
	st.Values = result.Values
	st.AppliedDigest = revisionDigest(operation)
	st.AttemptedDigest = o.attempt
	st.Hold = &v1alpha1.Hold{
		Digest: o.digest, Release: operation.Release, Revision: operation.Revision,
		RequestedBy: operation.RequestedBy, Since: *operation.FinishedAt,
	}
}

// revisionDigest stands for what a rollback brought back, whose own digest is not
// known: it is none that a spec has.
func revisionDigest(operation *operationRecord) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "revision %d of %s by %s", operation.Revision, operation.Release, cmp.Or(operation.ID, "KSIT")))
	return "sha256:" + hex.EncodeToString(sum[:])
}
