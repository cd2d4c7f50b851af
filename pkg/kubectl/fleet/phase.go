// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/terminal"
)

// PhaseStyle is the style in which a phase is shown.
func PhaseStyle(phase v1alpha1.Phase) terminal.Style {
	switch phase {
	case v1alpha1.PhaseRunning:
		return terminal.Good
	case v1alpha1.PhaseFailed, v1alpha1.PhaseDegraded:
		return terminal.Bad
	case v1alpha1.PhaseDisabled:
		return terminal.Faint
	default:
		return terminal.Pending
	}
}

func (l *Layout) phase(phase v1alpha1.Phase) string {
	return l.Terminal.Paint(PhaseStyle(phase), string(phase))
}

// mark says without colour what PhaseStyle says with one.
func (l *Layout) mark(phase v1alpha1.Phase) string { return Mark(l.Terminal, phase) }

// Mark is a sign for a phase, which needs no colour to be told apart.
func Mark(t *terminal.Terminal, phase v1alpha1.Phase) string {
	sign := "…"
	switch phase {
	case v1alpha1.PhaseRunning:
		sign = "✓"
	case v1alpha1.PhaseFailed, v1alpha1.PhaseDegraded:
		sign = "✗"
	case v1alpha1.PhaseUnknown:
		sign = "?"
	case v1alpha1.PhaseDisabled:
		sign = "-"
	}
	return t.Paint(PhaseStyle(phase), sign)
}

func stateStyle(state v1alpha1.CheckState) terminal.Style {
	switch state {
	case v1alpha1.CheckPassed:
		return terminal.Good
	case v1alpha1.CheckFailed:
		return terminal.Bad
	default:
		return terminal.Pending
	}
}

func outcomeStyle(outcome v1alpha1.OperationOutcome) terminal.Style {
	switch outcome {
	case v1alpha1.OperationSucceeded:
		return terminal.Good
	case v1alpha1.OperationFailed:
		return terminal.Bad
	default:
		return terminal.Pending
	}
}

// Count says how many Installations are in which phase: 198 Running, 2 Pending.
func Count(installations []v1alpha1.Installation) string {
	counts := map[v1alpha1.Phase]int{}
	for i := range installations {
		counts[installations[i].PresentPhase()]++
	}
	var parts []string
	worst := slices.SortedFunc(maps.Keys(counts), func(a, b v1alpha1.Phase) int {
		return cmp.Or(a.Severity()-b.Severity(), cmp.Compare(a, b))
	})
	for _, phase := range worst {
		parts = append(parts, fmt.Sprintf("%d %s", counts[phase], phase))
	}
	return join(", ", parts...)
}
