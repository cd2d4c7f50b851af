// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/installer"
)

// uninstall removes from the target what KSIT installed there, and then lets
// the Installation go. What it could not remove it tries again.
func (c *Controller) uninstall(ctx context.Context, o observed) error {
	i := o.installation
	connection, connected := c.Connections.Get(targetOf(i))
	if !connected {
		return nil
	}
	operation := v1alpha1.Operation{
		Type:        v1alpha1.OperationUninstall,
		Outcome:     v1alpha1.OperationRunning,
		StartedAt:   metav1.NewTime(o.now.Truncate(time.Second)),
		RequestedBy: "deletion",
	}
	begun, err := status.Write(ctx, c.Client.Installations(i.Namespace), i, func(i *v1alpha1.Installation) {
		st := &i.Status
		if st.Phase != v1alpha1.PhaseUninstalling {
			st.Failures, st.NextRetryTime = 0, nil
		}
		st.ObservedGeneration = i.Generation
		st.Phase = v1alpha1.PhaseUninstalling
		if st.Failures == 0 {
			st.Message = "uninstalling"
		}
		setCondition(i, v1alpha1.ConditionReady, metav1.ConditionFalse, string(v1alpha1.PhaseUninstalling), "being uninstalled")
		st.LastOperation = &operation
	})
	if err != nil || begun == nil {
		return err
	}
	timed, cancel := context.WithTimeout(ctx, timeoutOf(begun)+grace)
	defer cancel()
	failure := c.remove(timed, connection, begun)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	logger := klog.FromContext(ctx).WithValues("integration", begun.Spec.Integration, "target", begun.Spec.Target)
	if failure == nil {
		logger.Info("Uninstalled", "releases", releaseNames(begun.Status.Releases), "duration", time.Since(o.now).Round(time.Millisecond))
		return c.release(ctx, begun, decision{reason: "Uninstalled", message: fmt.Sprintf("uninstalled from %s", begun.Spec.Target)})
	}
	message := status.Shorten(failure.Error(), status.MaxMessage)
	reason := installer.ReasonOf(failure)
	if reason == installer.ReasonInstallFailed {
		reason = installer.ReasonUninstallFailed
	}
	failures := begun.Status.Failures + 1
	retry := time.Now().Add(retryAfter(failures, false))
	logger.Info("Uninstall failed", "reason", reason, "err", message, "attempt", failures, "nextRetry", retry)
	c.Events.Eventf(begun, nil, "Warning", string(reason), "Uninstall", "%s", message)
	return c.write(ctx, begun, func(i *v1alpha1.Installation) {
		finished := metav1.NewTime(time.Now().Truncate(time.Second))
		operation.Outcome, operation.FinishedAt, operation.Message = v1alpha1.OperationFailed, &finished, message
		i.Status.LastOperation = &operation
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
	for name, method := range c.Installers {
		if err := method.Uninstall(ctx, connection, removalOf(i)); err != nil {
			return fmt.Errorf("uninstalling by the method %s: %w", name, err)
		}
	}
	return nil
}

func removalOf(i *v1alpha1.Installation) installer.Removal {
	return installer.Removal{
		Owner:    ownerOf(i),
		Releases: removable(i),
		Adopted:  i.Spec.AutoInstall != nil && i.Spec.AutoInstall.DeletionPolicy == v1alpha1.DeletionPolicyDeleteAdopted,
		Timeout:  timeoutOf(i),
	}
}
