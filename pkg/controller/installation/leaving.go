// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"fmt"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/finalizer"
)

// maxDisowns is how often it is tried to take KSIT's marks off a target. What
// is orphaned goes all the same after that: who sets Orphan wants it gone.
const maxDisowns = 3

// decideLeaving decides for an Installation that is being deleted.
func decideLeaving(o observed) decision {
	i := o.installation
	if !finalizer.Has(i, v1alpha1.FinalizerUninstall) {
		return decision{step: stepNone}
	}
	if !everTouched(i) {
		return decision{step: stepRelease}
	}
	if o.target != nil && o.target.Status.Ready && !o.connected {
		return connecting()
	}
	if a := i.Spec.AutoInstall; a != nil && a.DeletionPolicy == v1alpha1.DeletionPolicyOrphan {
		return decideOrphan(o)
	}
	if !o.connected && o.namespaceGoes {
		// The Secret with the kubeconfig went with the namespace, and will not
		// come back: to wait would keep the namespace for ever.
		return decision{step: stepRelease, reason: "Orphaned",
			message: fmt.Sprintf("the namespace is deleted and with it the kubeconfig of %s: what is installed there stays", i.TargetName())}
	}
	const wayOut = "; if the cluster is gone for good, set spec.autoInstall.deletionPolicy of the Integration to Orphan"
	switch {
	case o.target == nil && !o.connected:
		return decision{step: stepWait, phase: v1alpha1.PhaseUninstalling, reason: "TargetMissing",
			message: fmt.Sprintf("uninstalling needs IntegrationTarget %s, which does not exist: create it%s", i.TargetName(), wayOut)}
	case o.target != nil && o.target.Spec.Suspend && !o.namespaceGoes:
		return decision{step: stepWait, phase: v1alpha1.PhaseUninstalling, reason: "TargetSuspended",
			message: fmt.Sprintf("uninstalling waits: IntegrationTarget %s is suspended", i.TargetName())}
	case !o.connected:
		return decision{step: stepWait, phase: v1alpha1.PhaseUninstalling, reason: reasonTargetNotReady,
			message: fmt.Sprintf("uninstalling waits: IntegrationTarget %s is not ready%s", i.TargetName(), wayOut)}
	}
	if later, tooSoon := backsOff(o); tooSoon && i.Status.ObservedGeneration == i.Generation {
		return decision{step: stepRetryLater, after: later}
	}
	return decision{step: stepUninstall}
}

// decideOrphan leaves what is installed, and takes KSIT's marks off it where
// the target can be reached, so that another Integration can take it over.
func decideOrphan(o observed) decision {
	i := o.installation
	if !o.connected || (o.target != nil && o.target.Spec.Suspend) || (disowning(i) && i.Status.Failures >= maxDisowns) {
		return decision{step: stepRelease, reason: "Orphaned", message: "what is installed stays, as deletionPolicy says"}
	}
	if later, tooSoon := backsOff(o); tooSoon && disowning(i) {
		return decision{step: stepRetryLater, after: later}
	}
	return decision{step: stepDisown}
}

// disowning tells whether the failures that are counted are those of disowning.
func disowning(i *v1alpha1.Installation) bool {
	return i.Status.Phase == v1alpha1.PhaseUninstalling && i.Status.LastOperation != nil &&
		i.Status.LastOperation.Type == v1alpha1.OperationUninstall
}
