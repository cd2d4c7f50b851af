// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"fmt"
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
	// stepRetryLater: it is too soon for the next attempt.
	stepRetryLater step = "RetryLater"
	// stepInstall: install or upgrade.
	stepInstall step = "Install"
	// stepRollback: bring back the last revision that went through.
	stepRollback step = "Rollback"
	// stepBringBack: bring back the revision that somebody asked for.
	stepBringBack step = "BringBack"
	// stepCorrect: undo drift.
	stepCorrect step = "Correct"
	// stepProbe: find out how it is.
	stepProbe step = "Probe"
	// stepUninstall: remove it from the target.
	stepUninstall step = "Uninstall"
	// stepDisown: take off the target what says that it is KSIT's.
	stepDisown step = "Disown"
	// stepRelease: let the Installation go, leaving the target as it is.
	stepRelease step = "Release"
)

// reasonTargetNotReady is that of waiting for a target that was lost, or was
// never there.
const reasonTargetNotReady = "TargetNotReady"

// long tells whether a step takes minutes, and is left to Operate.
func (s step) long() bool {
	switch s {
	case stepInstall, stepRollback, stepBringBack, stepCorrect, stepUninstall, stepDisown:
		return true
	default:
		return false
	}
}

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
	// digest is that of what the spec asks for, and attempt that of how as well:
	// failures are counted for it.
	digest, attempt string
	// dependency says which Integration must be Running first; empty when none.
	dependency string
	// mayCorrect is false for a while after drift was corrected again and again.
	mayCorrect bool
	now        time.Time
}

// decision is a step with what to say about it.
type decision struct {
	step    step
	phase   v1alpha1.Phase
	reason  string
	message string
	// after is when to look again; zero for the usual.
	after time.Duration
	// failing is true for a probe of what an attempt that failed has left: it
	// tells of the health, and leaves what is said of the failure.
	failing bool
	// rolledBack says which rollback holds, for a probe of what it brought back.
	rolledBack string
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
		wait.message += waitingRollback(i)
		return wait
	}
	if !installs(i) {
		return decision{step: stepProbe}
	}
	if askedRollback(i) != nil {
		// Ahead of all that an install waits for: it brings nothing new.
		return decision{step: stepBringBack}
	}
	requested := reconcileAsked(i)
	if held(o) {
		return decideHeld(o)
	}
	if isUpToDate(i, o.digest) && !requested {
		return decideSettled(o)
	}
	if o.target.DeletionTimestamp != nil {
		return hold(o, "TargetDeleting", fmt.Sprintf("IntegrationTarget %s is being deleted: nothing new is installed on it", i.TargetName()))
	}
	if i.Spec.WaitsFor != "" && !everTouched(i) {
		return hold(o, "WaitsForTurn", "waits for "+i.Spec.WaitsFor)
	}
	if o.dependency != "" {
		return hold(o, "DependencyNotReady", o.dependency)
	}
	if i.Status.AttemptedDigest == o.attempt && i.Status.Failures > 0 && !requested {
		return decideFailed(o)
	}
	return decision{step: stepInstall}
}

// isUpToDate tells whether what is asked for was installed whole.
func isUpToDate(i *v1alpha1.Installation, digest string) bool {
	return i.Status.AppliedDigest == digest && status.IsTrue(i.Status.Conditions, v1alpha1.ConditionInstalled)
}

// decideSettled decides for an Installation on which all is installed.
func decideSettled(o observed) decision {
	i := o.installation
	if driftMode(i) == v1alpha1.DriftCorrect && o.mayCorrect && status.IsTrue(i.Status.Conditions, v1alpha1.ConditionDrifted) {
		return decision{step: stepCorrect}
	}
	return decision{step: stepProbe}
}

// hold waits with what is new. What runs already is probed on.
func hold(o observed, reason, message string) decision {
	if o.installation.Status.AppliedDigest != "" {
		return decision{step: stepProbe, reason: reason, message: message}
	}
	return decision{step: stepWait, phase: orPending(o.installation.Status.Phase), reason: reason, message: message}
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
			message: fmt.Sprintf("there is no IntegrationTarget %s: create it, or drop it from the Integration", i.TargetKey())}, true
	case !o.target.Admits(i.Namespace):
		return notAllowed(i), true
	case o.target.Spec.Suspend:
		return decision{step: stepWait, phase: orPending(i.Status.Phase), reason: "TargetSuspended",
			message: fmt.Sprintf("IntegrationTarget %s is suspended: this is what was last true", i.TargetName())}, true
	case o.target.Status.Ready && !o.connected:
		return connecting(), true
	case !o.target.Status.Ready:
		message := fmt.Sprintf("IntegrationTarget %s is not ready", i.TargetName())
		for _, condition := range o.target.Status.Conditions {
			if condition.Type == v1alpha1.ConditionReady && condition.Message != "" {
				message += ": " + condition.Message
			}
		}
		return decision{step: stepWait, phase: lost(i), reason: reasonTargetNotReady, message: message}, true
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
