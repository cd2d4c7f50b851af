// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/pace"
	"ksit.io/ksit/pkg/controller/report"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/health"
	"ksit.io/ksit/pkg/installer"
)

// probeWhileStarting is how often what was just installed is probed until it
// is Running.
const probeWhileStarting = time.Second

// memory is what probes of an Installation found earlier, so far as it does not
// belong on status: it changes with every probe.
type memory struct {
	// failed counts the probes in a row that failed, spaced by the interval.
	failed int32
	// lastCounted is when failed was last raised.
	lastCounted time.Time
	// progressingSince is when the rollout that goes on was first seen.
	progressingSince time.Time
	// lastDriftLook is when drift was last looked for.
	lastDriftLook time.Time

	// mu guards what Reconcile and Operate share.
	mu sync.Mutex
	// correctedAt is when drift was last corrected, and correctionPause how long
	// the next correction waits.
	correctedAt     time.Time
	correctionPause time.Duration
}

type memories struct {
	mu    sync.Mutex
	byKey map[types.NamespacedName]*memory
}

func (m *memories) of(key types.NamespacedName) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byKey == nil {
		m.byKey = map[types.NamespacedName]*memory{}
	}
	if m.byKey[key] == nil {
		m.byKey[key] = &memory{}
	}
	return m.byKey[key]
}

func (m *memories) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.byKey, key)
}

// probe finds out how an Installation is and writes it down if that is news.
func (c *Controller) probe(ctx context.Context, o observed, d decision) (time.Duration, error) {
	i := o.installation
	key := types.NamespacedName{Namespace: i.Namespace, Name: i.Name}
	connection, connected, err := c.connect(o)
	if !connected {
		return 0, err
	}
	timed, cancel := context.WithTimeout(ctx, pace.Timeout(o.target))
	defer cancel()
	input, err := Probed(timed, connection, c.Installers, i)
	if err != nil {
		if installer.ReasonOf(err) == installer.ReasonReleaseMissing {
			return settle, c.missing(ctx, i, err)
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if refused := connection.Refused(err); refused != nil {
			return pace.Jitter(pace.Interval(o.target)), c.cannotAct(ctx, i, refused)
		}
		// Whether the target is lost, its own probe finds out.
		klog.FromContext(ctx).V(1).Info("Could not tell what is installed, will try again", "err", err)
		return retryMin, nil
	}
	c.tracker.track(key, connection.Base(), input.Objects, c.Probe)
	report := health.Probe(timed, connection, input)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	m := c.memories.of(key)
	v := judge(i, m, report, o)
	if d.message != "" {
		v.hold(d.message)
	}
	if d.rolledBack != "" {
		v.rolledBack(d.rolledBack)
	}
	var before v1alpha1.Phase
	overtaken := false
	written, err := status.Write(ctx, c.Client.Installations(i.Namespace), i, func(i *v1alpha1.Installation) {
		before = i.Status.Phase
		overtaken = v.record(i, o.installation, report, d.failing)
	})
	if err != nil || written == nil {
		return 0, err
	}
	if overtaken {
		return settle, nil
	}
	answered(ctx, i, written)
	if v.phase != before && !d.failing {
		c.announce(ctx, i, v, before)
	}
	if !d.failing && !v.held && (v.phase == v1alpha1.PhaseInstalling || v.phase == v1alpha1.PhaseUpgrading) {
		return probeWhileStarting, nil
	}
	if !d.failing && m.looksForDrift(written, o) {
		if written, err = c.findDrift(ctx, connection, written, m, o.now); err != nil {
			return 0, err
		}
		if o.installation = written; decide(o).step == stepCorrect {
			c.Work(key)
		}
	}
	after := pace.Jitter(pace.Interval(o.target))
	if d.after > 0 {
		after = min(after, d.after)
	}
	return after, nil
}

// missing notes that somebody removed a release: the next decision is then to
// install it again.
func (c *Controller) missing(ctx context.Context, i *v1alpha1.Installation, err error) error {
	message := status.Shorten(err.Error(), status.MaxMessage)
	c.say(i, "%s: %s", installer.ReasonReleaseMissing, message)
	c.Events.Eventf(i, nil, "Warning", string(installer.ReasonReleaseMissing), "Probe", "%s", message)
	return c.write(ctx, i, func(i *v1alpha1.Installation) {
		i.Status.Message = message
		i.Status.AppliedDigest = ""
		setCondition(i, v1alpha1.ConditionInstalled, metav1.ConditionFalse, string(installer.ReasonReleaseMissing), message)
	})
}

// verdict is what a probe amounts to.
type verdict struct {
	phase   v1alpha1.Phase
	message string
	healthy metav1.ConditionStatus
	reason  string
	// detail is the message of the condition Healthy.
	detail string
	// held is true while an upgrade waits for something.
	held bool
	// byHand is true for what somebody had brought back.
	byHand bool
}

// judge weighs a report against what was found before. A failure changes the
// phase only when it lasts; a rollout is no failure unless it outlasts the
// timeout of an install.
func judge(i *v1alpha1.Installation, m *memory, report health.Report, o observed) verdict {
	state := report.State
	if state != v1alpha1.CheckProgressing {
		m.progressingSince = time.Time{}
	} else if m.progressingSince.IsZero() {
		m.progressingSince = o.now
	} else if o.now.Sub(m.progressingSince) > timeoutOf(i) {
		state = v1alpha1.CheckFailed
	}
	if state != v1alpha1.CheckFailed {
		m.failed = 0
	} else if m.failed == 0 || o.now.Sub(m.lastCounted) >= pace.Interval(o.target)*8/10 {
		m.failed++
		m.lastCounted = o.now
	}

	phase := i.Status.Phase
	wasUp := phase == v1alpha1.PhaseRunning || phase == v1alpha1.PhaseDegraded || status.IsTrue(i.Status.Conditions, v1alpha1.ConditionInstalled)
	starting := starting(i)
	detail := report.Summary()
	v := verdict{healthy: metav1.ConditionFalse, reason: string(state), detail: detail, message: detail}
	switch state {
	case v1alpha1.CheckPassed:
		v.phase, v.healthy = v1alpha1.PhaseRunning, metav1.ConditionTrue
	case v1alpha1.CheckProgressing:
		v.healthy = metav1.ConditionUnknown
		v.phase = starting
		if phase == v1alpha1.PhaseRunning || phase == v1alpha1.PhaseDegraded {
			v.phase = phase
		}
	case v1alpha1.CheckFailed:
		switch {
		case wasUp && m.failed >= pace.FailureThreshold(o.target):
			v.phase = v1alpha1.PhaseDegraded
		case phase == v1alpha1.PhaseRunning || phase == v1alpha1.PhaseDegraded:
			v.phase = phase
		default:
			v.phase = starting
		}
	default:
		v.healthy = metav1.ConditionUnknown
		v.phase = phase
		if phase != v1alpha1.PhaseRunning && phase != v1alpha1.PhaseDegraded {
			v.phase = starting
		}
	}
	return v
}

// starting is the phase of an Installation that is not up yet.
func starting(i *v1alpha1.Installation) v1alpha1.Phase {
	last := i.Status.LastOperation
	switch {
	case !installs(i):
		// Somebody else is to install it.
		return v1alpha1.PhasePending
	case last != nil && (last.Type == v1alpha1.OperationUpgrade || last.Type == v1alpha1.OperationRollback):
		return v1alpha1.PhaseUpgrading
	default:
		return v1alpha1.PhaseInstalling
	}
}

// hold says that what is probed is not what is asked for, and what that waits
// for.
func (v *verdict) hold(message string) {
	v.held = true
	v.message = message + "; meanwhile: " + v.message
	if v.phase == v1alpha1.PhaseRunning {
		v.phase = v1alpha1.PhaseUpgrading
	}
}

// rolledBack says that what is probed was brought back by hand. It is healthy or
// not by itself; but it is not what the spec asks for.
func (v *verdict) rolledBack(message string) {
	v.byHand = true
	if v.phase != v1alpha1.PhaseRunning {
		message += "; meanwhile: " + v.message
	}
	v.message = message
}

// record enters what was found of an Installation as it was probed into what is
// stored of it by now. It tells whether an operation began or ended in between:
// what that said is newer than the probe, and stands. An operation that fails at
// once would otherwise be hidden until it is tried again.
func (v verdict) record(i, probed *v1alpha1.Installation, report health.Report, failing bool) (overtaken bool) {
	v.enterHealth(i, report)
	overtaken = !equality.Semantic.DeepEqual(i.Status.LastOperation, probed.Status.LastOperation)
	if !failing && !overtaken {
		v.enter(i, probed)
	}
	return overtaken
}

// enterHealth enters what was found.
func (v verdict) enterHealth(i *v1alpha1.Installation, report health.Report) {
	i.Status.Checks = report.Checks
	i.Status.Unhealthy = report.Unhealthy
	setCondition(i, v1alpha1.ConditionHealthy, v.healthy, v.reason, v.detail)
}

// enter enters what it amounts to. What was probed is probed: i may have been
// changed since, and that must not count as seen.
func (v verdict) enter(i, probed *v1alpha1.Installation) {
	st := &i.Status
	st.ObservedGeneration = probed.Generation
	if !v.held {
		st.LastReconcileRequest = probed.Spec.ReconcileRequest
	}
	st.Phase = v.phase
	st.Message = status.Shorten(v.message, status.MaxMessage)
	ready := v.phase == v1alpha1.PhaseRunning
	if v.byHand && ready {
		setCondition(i, v1alpha1.ConditionReady, metav1.ConditionFalse, reasonRolledBackByHand, v.message)
	} else {
		setCondition(i, v1alpha1.ConditionReady, status.Bool(ready), string(v.phase), v.message)
	}
	if !installs(i) {
		if request := asked(probed); request != nil {
			if request.Type == v1alpha1.OperationRollback {
				drop(i, request, "spec.autoInstall.enabled became false before it began", time.Now())
			} else {
				carriedOut(i, request, "probed: autoInstall is off", time.Now())
			}
		}
		setCondition(i, v1alpha1.ConditionInstalled, status.Bool(ready), "NotByKSIT", "autoInstall is off: KSIT only probes")
	}
}

// describe names an object of the target as a person would.
func describe(kind, namespace, name string) string {
	if namespace == "" {
		return kind + " " + name
	}
	return kind + " " + namespace + "/" + name
}

func (c *Controller) announce(ctx context.Context, i *v1alpha1.Installation, v verdict, before v1alpha1.Phase) {
	kind := "Normal"
	fields := []any{"integration", i.Spec.Integration, "namespace", i.Namespace, "target", i.TargetName(), "type", string(i.Spec.Type),
		"phase", string(v.phase), "before", string(before)}
	switch v.phase {
	case v1alpha1.PhaseRunning:
		report.Good(ctx, "Installation is healthy", fields...)
	case v1alpha1.PhaseDegraded:
		kind = "Warning"
		report.Bad(ctx, status.Shorten(v.message, status.MaxMessage), "Installation is not healthy", fields...)
	}
	c.say(i, "%s: %s", v.phase, v.message)
	c.Events.Eventf(i, nil, kind, string(v.phase), "Probe", "%s", status.Shorten(v.message, status.MaxMessage))
}
