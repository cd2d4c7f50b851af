// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"fmt"
	"slices"
	"time"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/status"
)

// step is what is done next for an Installation.
type step string

const (
	// stepNone: nothing, until something changes.
	stepNone step = "None"
	// stepDisable: say that it is disabled.
	stepDisable step = "Disable"
	// stepWait: say what it waits for.
	stepWait step = "Wait"
	// stepRetryLater: the last attempt failed, and it is too soon for the next.
	stepRetryLater step = "RetryLater"
	// stepInstall: install or upgrade.
	stepInstall step = "Install"
	// stepProbe: find out how it is.
	stepProbe step = "Probe"
	// stepUninstall: remove it from the target.
	stepUninstall step = "Uninstall"
	// stepRelease: let the Installation go, leaving the target as it is.
	stepRelease step = "Release"
)

// observed is all that a decision depends on.
type observed struct {
	installation *v1alpha1.Installation
	// target is nil when there is no such IntegrationTarget.
	target *v1alpha1.IntegrationTarget
	// connected is whether there is a connection to the target.
	connected bool
	// namespaceGoes is whether the namespace of the Installation is being
	// deleted.
	namespaceGoes bool
	// digest is that of what the spec asks for.
	digest string
	now    time.Time
}

// decision is a step with what to say about it.
type decision struct {
	step    step
	phase   v1alpha1.Phase
	reason  string
	message string
	after   time.Duration
}

// decide is the whole logic of what is done when: a pure function.
func decide(o observed) decision {
	i := o.installation
	if i.DeletionTimestamp != nil {
		return decideLeaving(o)
	}
	if !i.Spec.Enabled {
		return decision{step: stepDisable}
	}
	if wait, must := waitsForTarget(o); must {
		return wait
	}
	if !installs(i) {
		return decision{step: stepProbe}
	}
	requested := i.Spec.ReconcileRequest != i.Status.LastReconcileRequest
	upToDate := i.Status.AppliedDigest == o.digest && status.IsTrue(i.Status.Conditions, v1alpha1.ConditionInstalled)
	if upToDate && !requested {
		return decision{step: stepProbe}
	}
	if o.target.DeletionTimestamp != nil {
		return decision{step: stepWait, phase: orPending(i.Status.Phase), reason: "TargetDeleting",
			message: fmt.Sprintf("IntegrationTarget %s is being deleted: nothing new is installed on it", i.Spec.Target)}
	}
	if retry := i.Status.NextRetryTime; retry != nil && i.Status.Failures > 0 && !requested &&
		i.Status.ObservedGeneration == i.Generation && o.now.Before(retry.Time) {
		return decision{step: stepRetryLater, after: retry.Sub(o.now)}
	}
	return decision{step: stepInstall}
}

// connecting is decided for a moment after the start of KSIT, until it has
// connected to a target that was ready before.
func connecting() decision {
	return decision{step: stepRetryLater, after: 500 * time.Millisecond}
}

func waitsForTarget(o observed) (decision, bool) {
	i := o.installation
	switch {
	case o.target == nil:
		return decision{step: stepWait, phase: lost(i), reason: "TargetMissing",
			message: fmt.Sprintf("there is no IntegrationTarget %s in this namespace: create it, or drop it from the Integration", i.Spec.Target)}, true
	case o.target.Spec.Suspend:
		return decision{step: stepWait, phase: orPending(i.Status.Phase), reason: "TargetSuspended",
			message: fmt.Sprintf("IntegrationTarget %s is suspended: this is what was last true", i.Spec.Target)}, true
	case o.target.Status.Ready && !o.connected:
		return connecting(), true
	case !o.target.Status.Ready:
		message := fmt.Sprintf("IntegrationTarget %s is not ready", i.Spec.Target)
		for _, condition := range o.target.Status.Conditions {
			if condition.Type == v1alpha1.ConditionReady && condition.Message != "" {
				message += ": " + condition.Message
			}
		}
		return decision{step: stepWait, phase: lost(i), reason: "TargetNotReady", message: message}, true
	}
	return decision{}, false
}

// lost is the phase while the target cannot be reached: Unknown where there
// was something to know.
func lost(i *v1alpha1.Installation) v1alpha1.Phase {
	if everTouched(i) {
		return v1alpha1.PhaseUnknown
	}
	return v1alpha1.PhasePending
}

func orPending(phase v1alpha1.Phase) v1alpha1.Phase {
	if phase == "" {
		return v1alpha1.PhasePending
	}
	return phase
}

// everTouched tells whether KSIT ever began to do something on the target.
func everTouched(i *v1alpha1.Installation) bool {
	return len(i.Status.Releases) > 0 || i.Status.LastOperation != nil
}

func decideLeaving(o observed) decision {
	i := o.installation
	if !slices.Contains(i.Finalizers, v1alpha1.FinalizerUninstall) {
		return decision{step: stepNone}
	}
	if !everTouched(i) {
		return decision{step: stepRelease}
	}
	if a := i.Spec.AutoInstall; a != nil && a.DeletionPolicy == v1alpha1.DeletionPolicyOrphan {
		return decision{step: stepRelease, reason: "Orphaned", message: "what is installed stays, as deletionPolicy says"}
	}
	if o.target != nil && o.target.Status.Ready && !o.connected {
		return connecting()
	}
	if !o.connected && o.namespaceGoes {
		// The Secret with the kubeconfig went with the namespace, and will not
		// come back: to wait would keep the namespace for ever.
		return decision{step: stepRelease, reason: "Orphaned",
			message: fmt.Sprintf("the namespace is deleted and with it the kubeconfig of %s: what is installed there stays", i.Spec.Target)}
	}
	const wayOut = "; if the cluster is gone for good, set spec.autoInstall.deletionPolicy of the Integration to Orphan"
	switch {
	case o.target == nil && !o.connected:
		return decision{step: stepWait, phase: v1alpha1.PhaseUninstalling, reason: "TargetMissing",
			message: fmt.Sprintf("uninstalling needs IntegrationTarget %s, which does not exist: create it%s", i.Spec.Target, wayOut)}
	case o.target != nil && o.target.Spec.Suspend && !o.namespaceGoes:
		return decision{step: stepWait, phase: v1alpha1.PhaseUninstalling, reason: "TargetSuspended",
			message: fmt.Sprintf("uninstalling waits: IntegrationTarget %s is suspended", i.Spec.Target)}
	case !o.connected:
		return decision{step: stepWait, phase: v1alpha1.PhaseUninstalling, reason: "TargetNotReady",
			message: fmt.Sprintf("uninstalling waits: IntegrationTarget %s is not ready%s", i.Spec.Target, wayOut)}
	}
	if retry := i.Status.NextRetryTime; retry != nil && i.Status.Failures > 0 && i.Status.ObservedGeneration == i.Generation && o.now.Before(retry.Time) {
		return decision{step: stepRetryLater, after: retry.Sub(o.now)}
	}
	return decision{step: stepUninstall}
}
