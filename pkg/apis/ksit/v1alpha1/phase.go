// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// PresentPhase is the phase of an Installation with regard to its present spec:
// what was true of an earlier spec is not said of this one. While it waits for
// its turn, what it runs stays what it runs.
func (i *Installation) PresentPhase() Phase {
	switch {
	case i.DeletionTimestamp != nil:
		return PhaseUninstalling
	case i.Status.Phase == "":
		return PhasePending
	case i.Status.Phase == PhaseRunning && i.Spec.WaitsFor == "" && i.Status.ObservedGeneration != i.Generation:
		return PhaseUpgrading
	default:
		return i.Status.Phase
	}
}

// Runs tells whether an Installation runs what its spec asks for, so that what
// depends on it may go on.
func (i *Installation) Runs() bool {
	return i.DeletionTimestamp == nil && i.Status.Phase == PhaseRunning && i.Status.ObservedGeneration == i.Generation
}

// Severity is the place of a phase in the order in which one is chosen to speak
// for several: the worst has 0.
func (p Phase) Severity() int {
	switch p {
	case PhaseFailed:
		return 0
	case PhaseDegraded:
		return 1
	case PhaseUnknown:
		return 2
	case PhaseUninstalling:
		return 3
	case PhaseInstalling:
		return 4
	case PhaseUpgrading:
		return 5
	case PhaseDisabled:
		return 7
	case PhaseRunning:
		return 8
	default: // Pending, and one that was not written yet.
		return 6
	}
}
