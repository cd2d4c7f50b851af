// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rollout decides which clusters get a change next. It is a pure
// function of how all clusters are: who restarts it in the middle of a rollout
// goes on where that stood.
package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// State is how a cluster is.
type State string

const (
	// Idle is a cluster on which nothing goes on and nothing is installed.
	Idle State = "Idle"
	// Progressing is one on which this change, or an earlier one, is under way.
	Progressing State = "Progressing"
	// Ready is one on which everything installed is healthy.
	Ready State = "Ready"
	// Failed is one on which this change, or an earlier one, failed, or what is
	// installed is unhealthy.
	Failed State = "Failed"
	// Unreachable is one that nothing can be done on. It holds no slot, is no
	// failure, and nobody waits for it.
	Unreachable State = "Unreachable"
)

// Target is a cluster in a rollout.
type Target struct {
	Name   string
	Labels map[string]string
	// Begun is whether the cluster has the present change already.
	Begun bool
	State State
	// Since is from when on it has been Ready.
	Since time.Time
	// Blocked is whether something must run on the cluster first that does not. The
	// change is not begun there, and no slot is held until it can be.
	Blocked bool
}

// Plan says what is next.
type Plan struct {
	// Waits says for each cluster whose turn has not come what it waits for, as
	// the end of a sentence that begins with "waits for". The texts change only
	// when what they say does: each is written to an Installation. All others
	// have the change, or get it now.
	Waits map[string]string
	// Updated counts those others.
	Updated int
	// Paused and Stopped are whether clusters wait because somebody said so, or
	// because the change failed on too many.
	Paused, Stopped bool
	// Message sums it up; empty when no cluster waits.
	Message string
	// After is when time alone will change the plan; 0 for never.
	After time.Duration
}

// New plans the next step of a rollout. A nil rollout is for all clusters at
// once. stopped is whether the rollout of this very change has stopped before:
// it does not go on by itself, also when what failed has mended since.
func New(rollout *v1alpha1.Rollout, targets []Target, stopped bool, now time.Time) (Plan, error) {
	plan := Plan{Waits: map[string]string{}}
	if rollout == nil {
		plan.Updated = len(targets)
		return plan, nil
	}
	// A copy in an order of its own: the same fleet gives the same plan.
	targets = slices.SortedFunc(slices.Values(targets), func(a, b Target) int { return cmp.Compare(a.Name, b.Name) })
	groups, err := partition(rollout.Partitions, targets)
	if err != nil {
		return Plan{}, err
	}
	failed := named(targets, func(t Target) bool { return t.Begun && t.State == Failed })
	begun := named(targets, func(t Target) bool { return t.Begun })
	limit := share(rollout.StopAfterFailures, len(targets), 1)
	var why string
	switch {
	case len(begun) == len(targets):
	case rollout.Paused:
		plan.Paused = true
		why = "spec.rollout.paused is true"
		plan.holdAll(targets, "its turn in the rollout, which is paused")
	case len(failed) >= limit, stopped && len(begun) > 0:
		plan.Stopped = true
		why = stoppedBy(failed)
		plan.holdAll(targets, "its turn in the rollout, which stopped because the change failed elsewhere")
	default:
		why = plan.start(groups, share(rollout.MaxConcurrent, len(targets), len(targets)), now)
	}
	plan.Updated = len(targets) - len(plan.Waits)
	if len(plan.Waits) > 0 {
		plan.Message = fmt.Sprintf("%d of %d clusters updated; %s", plan.Updated, len(targets), why)
	}
	return plan, nil
}

// holdAll lets none of the targets begin, and tells whether that holds any.
func (p *Plan) holdAll(targets []Target, waits string) bool {
	held := false
	for _, t := range targets {
		if !t.Begun {
			p.Waits[t.Name] = waits
			held = true
		}
	}
	return held
}

// start gives the slots that are free to the clusters whose turn it is, and
// returns why the others wait: for a partition that will not be done by itself
// or soaks, else for a slot, else for a partition, else for the cluster.
func (p *Plan) start(groups []group, atOnce int, now time.Time) string {
	free := slots{change: atOnce, cluster: atOnce}
	for _, g := range groups {
		for _, t := range g.targets {
			if t.State == Progressing {
				free.take(t.Begun, true)
			}
		}
	}
	why := "the others cannot be reached"
	if slices.ContainsFunc(groups, group.isBlocked) {
		why = "the others wait for what they depend on"
	}
	var before *gate
	for _, g := range groups {
		if before == nil {
			if p.startIn(g, &free, atOnce) {
				why = fmt.Sprintf("at most %d change at once", atOnce)
			}
			before = g.gate(now)
			continue
		}
		if !p.holdAll(g.targets, "its turn in the rollout: "+before.waits) {
			continue
		}
		if before.strong || free.cluster > 0 {
			why = before.why
		}
		if !before.until.IsZero() {
			p.After = before.until.Sub(now)
		}
	}
	return why
}

// slots are on how many clusters more this change may be begun, and on how many
// anything at all: while an earlier change is under way on a cluster, this one
// may follow it there, and nowhere else in its place.
type slots struct{ change, cluster int }

func (s *slots) take(change, cluster bool) {
	if change {
		s.change--
	}
	if cluster {
		s.cluster--
	}
}

// startIn starts what may start in a group, and tells whether a cluster is left
// that only lacks a slot. Those on which an earlier change is under way or
// failed come first: this one may be what mends it.
func (p *Plan) startIn(g group, free *slots, atOnce int) bool {
	waiting := slices.DeleteFunc(slices.Clone(g.targets), func(t Target) bool { return t.Begun })
	slices.SortStableFunc(waiting, func(a, b Target) int { return urgency(a.State) - urgency(b.State) })
	full := false
	for _, t := range waiting {
		busy := t.State == Progressing
		switch {
		case t.State == Unreachable:
			p.Waits[t.Name] = "the cluster, which cannot be reached, and then its turn in the rollout"
		case t.Blocked:
			p.Waits[t.Name] = "an Integration of spec.dependsOn to be Running there, and then its turn in the rollout"
		case free.change > 0 && (busy || free.cluster > 0):
			free.take(true, !busy)
		default:
			full = true
			p.Waits[t.Name] = fmt.Sprintf("its turn in the rollout: at most %d at once", atOnce)
		}
	}
	return full
}

func urgency(state State) int {
	switch state {
	case Progressing:
		return 0
	case Failed:
		return 1
	default:
		return 2
	}
}

// stoppedBy says on which clusters the change failed, and what to do.
func stoppedBy(failed []string) string {
	const shown = 3
	text := "rollout stopped after a failure that has passed"
	switch n := len(failed); {
	case n == 1:
		text = "rollout stopped after 1 failure, on " + failed[0] + ": fix it"
	case n > shown:
		text = fmt.Sprintf("rollout stopped after %d failures, on %s and %d more: fix them", n, strings.Join(failed[:shown], ", "), n-shown)
	case n > 1:
		text = fmt.Sprintf("rollout stopped after %d failures, on %s: fix them", n, strings.Join(failed, ", "))
	default:
		return text + ": change the spec or annotate reconcile to go on"
	}
	return text + ", then change the spec or annotate reconcile"
}

func named(targets []Target, is func(Target) bool) []string {
	var names []string
	for _, t := range targets {
		if is(t) {
			names = append(names, t.Name)
		}
	}
	return names
}

// share is a number of clusters: as given, or the percentage of all, rounded
// up; at least one.
func share(value *intstr.IntOrString, all, otherwise int) int {
	if value == nil {
		return max(otherwise, 1)
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(value, all, true)
	if err != nil {
		// The API refuses what is neither. The careful answer is one.
		return 1
	}
	return max(n, 1)
}
