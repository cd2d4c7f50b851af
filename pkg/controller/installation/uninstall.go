// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/installer"
)

// disownTimeout bounds what is done on the target for an Installation that is
// orphaned.
const disownTimeout = 30 * time.Second

// departure is a way to leave a target.
type departure struct {
	timeout time.Duration
	do      func(context.Context, *cluster.Connection, *v1alpha1.Installation) error
	// reason and message are what is said when it went through.
	reason, message string
}

// uninstall removes from the target what KSIT installed there, and then lets
// the Installation go. What it could not remove it tries again.
func (c *Controller) uninstall(ctx context.Context, o observed) error {
	return c.leave(ctx, o, departure{
		timeout: timeoutOf(o.installation) + grace,
		do:      c.remove,
		reason:  "Uninstalled",
		message: fmt.Sprintf("uninstalled from %s", o.installation.TargetName()),
	})
}

// disown leaves what is installed for others to take over, and then lets the
// Installation go.
func (c *Controller) disown(ctx context.Context, o observed) error {
	return c.leave(ctx, o, departure{
		timeout: disownTimeout,
		do:      c.giveUp,
		reason:  "Orphaned",
		message: "what is installed stays, as deletionPolicy says",
	})
}

func (c *Controller) leave(ctx context.Context, o observed, way departure) error {
	i := o.installation
	connection, connected, err := c.connect(o)
	if !connected {
		return err
	}
	operation := newRecord(o, v1alpha1.OperationUninstall, "deletion")
	if request := asked(i); request != nil && request.Type == v1alpha1.OperationReconcile {
		operation.ID, operation.RequestedBy = request.ID, request.RequestedBy
	}
	begun, err := status.Write(ctx, c.Client.Installations(i.Namespace), i, func(i *v1alpha1.Installation) { enterLeaving(i, operation) })
	if err != nil || begun == nil {
		return err
	}
	operation.attempt = begun.Status.Failures + 1
	operation.traceBegin(ctx)
	c.say(begun, "%s begins, asked for by %s: %v", operation.Type, operation.RequestedBy, releaseNames(begun.Status.Releases))
	timed, cancel := context.WithTimeout(ctx, way.timeout)
	defer cancel()
	failure := mayAct(timed, connection)
	if failure == nil {
		failure = way.do(timed, connection, begun)
	}
	if interrupted, err := c.interrupted(ctx, begun, operation, installer.Result{}); interrupted {
		return err
	}
	operation.end()
	if failure == nil {
		operation.Outcome, operation.Message = v1alpha1.OperationSucceeded, way.message
		operation.succeeded(ctx, begun, "releases", releaseNames(begun.Status.Releases), "left", way.reason)
		return c.release(ctx, begun, decision{reason: way.reason, message: way.message})
	}
	return c.leavingFailed(ctx, begun, operation, failure)
}

func enterLeaving(i *v1alpha1.Installation, operation *operationRecord) {
	st := &i.Status
	if st.Phase != v1alpha1.PhaseUninstalling || st.ObservedGeneration != i.Generation {
		st.Failures, st.Retries, st.NextRetryTime = 0, 0, nil
	}
	st.ObservedGeneration = i.Generation
	st.Phase = v1alpha1.PhaseUninstalling
	if st.Failures == 0 {
		st.Message = "uninstalling"
	}
	setCondition(i, v1alpha1.ConditionReady, metav1.ConditionFalse, string(v1alpha1.PhaseUninstalling), "being uninstalled")
	if operation.ID != "" {
		st.LastRequest = operation.ID
	}
	recordOperation(st, operation)
}

func (c *Controller) leavingFailed(ctx context.Context, i *v1alpha1.Installation, operation *operationRecord, failure error) error {
	message := status.Shorten(failure.Error(), status.MaxMessage)
	reason := installer.ReasonOf(failure)
	if reason == installer.ReasonInstallFailed {
		reason = installer.ReasonUninstallFailed
	}
	failures := i.Status.Failures + 1
	retry := time.Now().Add(retryAfter(failures, false))
	c.Events.Eventf(i, nil, "Warning", string(reason), "Uninstall", "%s", message)
	c.say(i, "uninstall failed: %s: %s; the next attempt is at %s", reason, message, retry.UTC().Format("15:04:05 MST"))
	operation.Outcome, operation.Message = v1alpha1.OperationFailed, message
	operation.failed(ctx, i, string(reason), &metav1.Time{Time: retry}, "releases", releaseNames(i.Status.Releases))
	return c.write(ctx, i, func(i *v1alpha1.Installation) {
		recordOperation(&i.Status, operation)
		i.Status.Failures = failures
		i.Status.NextRetryTime = &metav1.Time{Time: retry.Truncate(time.Second)}
		i.Status.Message = status.Shorten(fmt.Sprintf("attempt %d to uninstall failed: %s; the next is at %s; "+
			"if it can never succeed, set spec.autoInstall.deletionPolicy of the Integration to Orphan",
			failures, message, retry.UTC().Format("15:04:05 MST")), status.MaxMessage)
		setCondition(i, v1alpha1.ConditionReady, metav1.ConditionFalse, string(reason), message)
	})
}

// remove has every method remove what it installed: the method may have been
// changed since.
func (c *Controller) remove(ctx context.Context, connection *cluster.Connection, i *v1alpha1.Installation) error {
	removal := installer.Removal{
		Owner:    ownerOf(i),
		Releases: removable(i),
		Adopted:  i.Spec.AutoInstall != nil && i.Spec.AutoInstall.DeletionPolicy == v1alpha1.DeletionPolicyDeleteAdopted,
		Timeout:  timeoutOf(i),
	}
	for name, method := range c.Installers {
		if err := method.Uninstall(ctx, connection, removal); err != nil {
			return fmt.Errorf("uninstalling by the method %s: %w", name, err)
		}
	}
	return nil
}

// giveUp takes off the target all that says that it is KSIT's.
func (c *Controller) giveUp(ctx context.Context, connection *cluster.Connection, i *v1alpha1.Installation) error {
	for name, method := range c.Installers {
		if err := method.Disown(ctx, connection, ownerOf(i), removable(i)); err != nil {
			return fmt.Errorf("giving up what the method %s installed: %w", name, err)
		}
	}
	return nil
}
