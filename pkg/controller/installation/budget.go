// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"time"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/pace"
	"ksit.io/ksit/pkg/controller/status"
)

const (
	// The first failure is tried again after about retryMin, each further one
	// after twice as long, up to retryMax. What only a change of the spec can
	// mend is tried at retryMax: a missing chart may be published yet.
	retryMin = 5 * time.Second
	retryMax = 10 * time.Minute
	// patience is how many attempts may fail before the phase is Failed rather
	// than Installing.
	patience = 3
	// maxRollbacks is how often a rollback is tried.
	maxRollbacks = 3
)

// Reasons of the condition Remediated, and of Stalled when the retries are
// spent.
const (
	reasonRetriesSpent = "RetriesSpent"
	reasonRolledBack   = "RolledBack"
	reasonLeft         = "Left"
)

// decideFailed decides after attempts to install what the spec asks for have
// failed.
func decideFailed(o observed) decision {
	i := o.installation
	later, tooSoon := backsOff(o)
	if !isSpent(i) {
		if !tooSoon {
			return decision{step: stepInstall}
		}
		return afterFailure(i, later)
	}
	if !mayRollBack(i) {
		return afterFailure(i, 0)
	}
	if tooSoon {
		return afterFailure(i, later)
	}
	return decision{step: stepRollback}
}

// afterFailure probes what stands, if anything does, until the next attempt.
func afterFailure(i *v1alpha1.Installation, later time.Duration) decision {
	if len(i.Status.Releases) > 0 {
		return decision{step: stepProbe, after: later, failing: true}
	}
	if later == 0 {
		return decision{step: stepNone}
	}
	return decision{step: stepRetryLater, after: later}
}

// backsOff tells whether it is too soon for the next attempt, and how long it is
// until then.
func backsOff(o observed) (time.Duration, bool) {
	retry := o.installation.Status.NextRetryTime
	if retry == nil || o.installation.Status.Failures == 0 || !o.now.Before(retry.Time) {
		return 0, false
	}
	return retry.Sub(o.now), true
}

// allowedRetries is how often a failed attempt is repeated.
func allowedRetries(i *v1alpha1.Installation) int32 {
	if a := i.Spec.AutoInstall; a != nil && a.Remediation != nil && a.Remediation.Retries != nil {
		return *a.Remediation.Retries
	}
	return v1alpha1.DefaultRetries
}

// isSpent tells whether the first attempt and all retries have failed.
func isSpent(i *v1alpha1.Installation) bool { return i.Status.Retries > allowedRetries(i) }

// mayRollBack tells whether a rollback is still to be made. Only what once
// went through has a revision to go back to.
func mayRollBack(i *v1alpha1.Installation) bool {
	a := i.Spec.AutoInstall
	if a.Remediation != nil && a.Remediation.Strategy == v1alpha1.RemediationLeave {
		return false
	}
	return i.Status.AppliedDigest != "" && !isRemediated(i) && i.Status.Retries <= allowedRetries(i)+maxRollbacks
}

// isRemediated tells whether what the strategy says was done already.
func isRemediated(i *v1alpha1.Installation) bool {
	return status.IsTrue(i.Status.Conditions, v1alpha1.ConditionRemediated)
}

// retryAfter is the exponential backoff, with jitter: installs
// that failed together, because a registry was down, are not tried together.
func retryAfter(failures int32, terminal bool) time.Duration {
	if terminal {
		return pace.Jitter(retryMax)
	}
	after := retryMin
	for range failures - 1 {
		if after *= 2; after >= retryMax {
			return pace.Jitter(retryMax)
		}
	}
	return pace.Jitter(after)
}
