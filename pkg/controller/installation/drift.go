// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/pace"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/installer"
)

const (
	reasonDrifted       = "Drifted"
	reasonCorrected     = "Corrected"
	reasonNoDrift       = "AsApplied"
	reasonCannotCorrect = "CorrectionFailed"
	// driftTimeout bounds one look for drift: a release of a thousand objects
	// that all changed takes a while.
	driftTimeout = time.Minute
	// contested is how soon after a correction new drift means that somebody
	// keeps undoing it.
	contested = 10 * time.Minute
	// correctMin is how long drift that comes back waits for its second
	// correction; each further one waits twice as long, up to retryMax.
	correctMin = 30 * time.Second
)

func driftMode(i *v1alpha1.Installation) v1alpha1.DriftMode {
	if !installs(i) || i.Spec.AutoInstall.Drift == nil {
		return v1alpha1.DriftWarn
	}
	return i.Spec.AutoInstall.Drift.Mode
}

func driftCheck(i *v1alpha1.Installation) installer.DriftCheck {
	check := installer.DriftCheck{Owner: ownerOf(i), Releases: i.Status.Releases}
	if i.Spec.AutoInstall.Drift != nil {
		check.Ignore = i.Spec.AutoInstall.Drift.Ignore
	}
	return check
}

// looksForDrift tells whether it is time to look. Where workloads are still on
// their way, what is there changes by itself.
func (m *memory) looksForDrift(i *v1alpha1.Installation, o observed) bool {
	if !installs(i) || driftMode(i) == v1alpha1.DriftDisabled || len(i.Status.Releases) == 0 {
		return false
	}
	if i.Status.Phase != v1alpha1.PhaseRunning && i.Status.Phase != v1alpha1.PhaseDegraded {
		return false
	}
	return o.now.Sub(m.lastDriftLook) >= pace.Interval(o.target)*8/10
}

// findDrift looks for drift and writes it down if that is news. What could not
// be found out is looked for again at the next probe.
func (c *Controller) findDrift(ctx context.Context, connection *cluster.Connection, i *v1alpha1.Installation, m *memory, now time.Time) (*v1alpha1.Installation, error) {
	m.lastDriftLook = now
	timed, cancel := context.WithTimeout(ctx, driftTimeout)
	defer cancel()
	found, err := c.Installers[methodOf(i)].Drift(timed, connection, driftCheck(i))
	if ctx.Err() != nil {
		return i, ctx.Err()
	}
	if err != nil {
		klog.FromContext(ctx).V(1).Info("Could not look for drift everywhere, will try again", "err", status.Shorten(err.Error(), status.MaxMessage))
		if found.Total == 0 {
			// Nothing is known of the rest: what was said before stands.
			return i, nil
		}
	}
	written, err := status.Write(ctx, c.Client.Installations(i.Namespace), i, func(i *v1alpha1.Installation) { enterDrift(i, found) })
	if err != nil || written == nil {
		return i, err
	}
	if found.Total > 0 && !equalDrift(i.Status.Drifted, found.Resources) {
		c.Metrics.DriftFound(string(i.Spec.Type), found.Total)
		c.Events.Eventf(written, nil, "Warning", reasonDrifted, "Probe", "%s", driftMessage(found))
		c.say(written, "drift: %s", driftMessage(found))
	}
	return written, nil
}

func enterDrift(i *v1alpha1.Installation, found installer.Drift) {
	i.Status.Drifted = found.Resources
	if found.Total > 0 {
		setCondition(i, v1alpha1.ConditionDrifted, metav1.ConditionTrue, reasonDrifted, driftMessage(found))
		return
	}
	reason, message := reasonNoDrift, "every object is as it was applied"
	for _, condition := range i.Status.Conditions {
		if condition.Type == v1alpha1.ConditionDrifted && condition.Reason == reasonCorrected {
			// That it was corrected, and what, is worth more than that all is well.
			reason, message = condition.Reason, condition.Message
		}
	}
	setCondition(i, v1alpha1.ConditionDrifted, metav1.ConditionFalse, reason, message)
}

// driftMessage names the first objects, and of each the first fields.
func driftMessage(found installer.Drift) string {
	const named = 3
	message := fmt.Sprintf("%d objects are not as they were applied: ", found.Total)
	if found.Total == 1 {
		message = "1 object is not as it was applied: "
	}
	for n, r := range found.Resources {
		if n == named {
			message += " …"
			break
		}
		if n > 0 {
			message += "; "
		}
		message += describe(r.Kind, r.Namespace, r.Name)
		if r.Missing {
			message += " is missing"
		} else if len(r.Fields) > 0 {
			message += fmt.Sprintf(" %v", r.Fields)
		}
	}
	return status.Shorten(message, status.MaxMessage)
}

func equalDrift(a, b []v1alpha1.DriftedResource) bool {
	if len(a) != len(b) {
		return false
	}
	for n := range a {
		if a[n].Kind != b[n].Kind || a[n].Namespace != b[n].Namespace || a[n].Name != b[n].Name || a[n].Missing != b[n].Missing {
			return false
		}
	}
	return true
}

// correct undoes drift.
func (c *Controller) correct(ctx context.Context, o observed) error {
	connection, connected, err := c.connect(o)
	method, known := c.Installers[methodOf(o.installation)]
	if !connected || !known {
		return err
	}
	begun, operation, err := c.begin(ctx, o, v1alpha1.OperationCorrect, "drift")
	if err != nil || begun == nil {
		return err
	}
	m := c.memories.of(types.NamespacedName{Namespace: begun.Namespace, Name: begun.Name})
	m.corrects(o.now)
	timed, cancel := context.WithTimeout(ctx, timeoutOf(begun))
	defer cancel()
	corrected, err := method.Correct(timed, connection, driftCheck(begun))
	if interrupted, err := c.interrupted(ctx, begun, operation, installer.Result{}); interrupted {
		return err
	}
	operation.end()
	if corrected.Total > 0 {
		c.Metrics.DriftCorrected(string(begun.Spec.Type), corrected.Total)
	}
	if err != nil {
		operation.Outcome, operation.Message = v1alpha1.OperationFailed, status.Shorten(err.Error(), status.MaxMessage)
		c.Events.Eventf(begun, nil, "Warning", reasonCannotCorrect, string(operation.Type), "%s", operation.Message)
	} else {
		operation.Outcome, operation.Message = v1alpha1.OperationSucceeded, "there was nothing left to correct"
		if corrected.Total > 0 {
			operation.Message = "corrected: " + driftMessage(corrected)
		}
		c.Events.Eventf(begun, nil, "Normal", reasonCorrected, string(operation.Type), "%s", operation.Message)
	}
	if operation.Outcome == v1alpha1.OperationFailed {
		operation.failed(ctx, begun, reasonCannotCorrect, nil, "objects", corrected.Total)
	} else {
		operation.succeeded(ctx, begun, "objects", corrected.Total)
	}
	c.say(begun, "drift: %s", operation.Message)
	return c.write(ctx, begun, func(i *v1alpha1.Installation) {
		recordOperation(&i.Status, operation)
		if operation.Outcome == v1alpha1.OperationFailed {
			setCondition(i, v1alpha1.ConditionDrifted, metav1.ConditionTrue, reasonCannotCorrect, operation.Message)
			return
		}
		i.Status.Drifted = nil
		setCondition(i, v1alpha1.ConditionDrifted, metav1.ConditionFalse, reasonCorrected, operation.Message)
	})
}

// corrects counts a correction. Drift that comes back again and again is
// corrected ever more slowly: two that fight over a field must not do so by the
// second.
func (m *memory) corrects(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Sub(m.correctedAt) > contested+m.correctionPause {
		m.correctionPause = 0
	} else {
		m.correctionPause = min(max(2*m.correctionPause, correctMin), retryMax)
	}
	m.correctedAt = now
}

func (m *memory) mayCorrect(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !now.Before(m.correctedAt.Add(m.correctionPause))
}
