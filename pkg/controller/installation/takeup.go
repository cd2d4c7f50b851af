// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/installer"
)

// isUnknown tells whether nothing is known of what is on the target, and nothing was
// installed there since. An attempt that failed before it could look changes
// nothing about that.
func isUnknown(i *v1alpha1.Installation) bool {
	return i.Status.AppliedDigest == "" && len(i.Status.Releases) == 0
}

// takeUpHold looks whether somebody had rolled back what the spec asks for,
// before an Installation of which nothing is known is installed: one that was
// restored from a backup. It then enters that the rollback holds, writes nothing
// to the target, and says true.
func (c *Controller) takeUpHold(ctx context.Context, o observed, connection *cluster.Connection, req installer.Request) (bool, error) {
	method, known := c.Installers[methodOf(o.installation)]
	if !known {
		return false, nil
	}
	if err := mayAct(ctx, connection); err != nil {
		return false, err
	}
	hold, releases, err := method.Held(ctx, connection, req)
	if err != nil || hold == nil || hold.Digest != o.digest {
		return false, err
	}
	text := heldText(hold)
	klog.FromContext(ctx).Info("A rollback was found on the target, and holds", "integration", o.installation.Spec.Integration,
		"target", o.installation.TargetName(), "revision", hold.Revision, "requestedBy", hold.RequestedBy)
	c.say(o.installation, "found on the target: %s", text)
	return true, c.write(ctx, o.installation, func(i *v1alpha1.Installation) {
		st := &i.Status
		st.Hold, st.Releases = hold.DeepCopy(), releases
		st.AppliedDigest = revisionDigest(&operationRecord{Operation: v1alpha1.Operation{Release: hold.Release, Revision: hold.Revision}})
		st.AttemptedDigest = o.attempt
		st.ObservedGeneration = o.installation.Generation
		// What was asked for before the rollback is no reason to end it.
		st.LastReconcileRequest = o.installation.Spec.ReconcileRequest
		st.Message = text + "; its health is being probed"
		setCondition(i, v1alpha1.ConditionInstalled, metav1.ConditionTrue, reasonRolledBackByHand,
			status.Shorten(fmt.Sprintf("revision %d of the release %s was brought back by %s", hold.Revision, hold.Release, hold.RequestedBy), status.MaxMessage))
		setCondition(i, v1alpha1.ConditionStalled, metav1.ConditionFalse, reasonRolledBackByHand, "needs no help: "+text)
	})
}
