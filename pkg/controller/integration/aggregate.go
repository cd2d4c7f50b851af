// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"slices"
	"strings"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/status"
)

// Bounds of the status of an Integration, which must not grow with the fleet.
const (
	maxSummaries      = 20
	maxSummaryMessage = 256
	maxVersions       = 5
)

// aggregate computes the status of an Integration from its Installations. It
// changes the status only, and the order of the Installations.
func aggregate(integration *v1alpha1.Integration, wanted selection, installations []*v1alpha1.Installation, progress progress) {
	slices.SortFunc(installations, func(a, b *v1alpha1.Installation) int {
		if d := status.Worse(phaseOf(a), phaseOf(b)); d != 0 {
			return d
		}
		return strings.Compare(a.TargetName(), b.TargetName())
	})
	s := &integration.Status
	s.ObservedGeneration = integration.Generation
	s.LastReconcileRequest = integration.Annotations[v1alpha1.AnnotationReconcile]
	s.Targets = int32(max(wanted.total(), len(installations)))
	s.Installed, s.Healthy, s.Failed = 0, 0, 0
	for _, installation := range installations {
		if isInstalled(installation) {
			s.Installed++
		}
		switch phaseOf(installation) {
		case v1alpha1.PhaseRunning:
			s.Healthy++
		case v1alpha1.PhaseFailed, v1alpha1.PhaseDegraded:
			s.Failed++
		}
	}
	s.Chart = source(integration)
	s.Version = versions(installations)
	s.TargetSummaries = summaries(installations)
	if !progress.resolving {
		s.Updated = int32(progress.plan.Updated)
	}
	s.Phase, s.Message = sumUp(integration, wanted, installations, progress)
	setConditions(integration, wanted, installations, progress)
}

func phaseOf(installation *v1alpha1.Installation) v1alpha1.Phase { return installation.PresentPhase() }

func isInstalled(installation *v1alpha1.Installation) bool {
	return installation.Spec.WaitsFor == "" && installation.Status.Hold == nil && installation.Status.ObservedGeneration == installation.Generation &&
		status.IsTrue(installation.Status.Conditions, v1alpha1.ConditionInstalled)
}

// sumUp returns the phase and what there is to say about it.
func sumUp(integration *v1alpha1.Integration, wanted selection, sorted []*v1alpha1.Installation, progress progress) (v1alpha1.Phase, string) {
	switch {
	case integration.DeletionTimestamp != nil:
		return v1alpha1.PhaseUninstalling, uninstalling(sorted)
	case integration.Spec.Enabled != nil && !*integration.Spec.Enabled:
		return v1alpha1.PhaseDisabled, "spec.enabled is false: nothing is installed or probed, and what is installed stays"
	case wanted.selectorMatchesNone && len(wanted.targets) == 0 && len(sorted) > 0:
		return phaseOf(sorted[0]), fmt.Sprintf("spec.targetSelector matches no IntegrationTarget any more; what is installed on %d of them is kept: "+
			"label the targets again, or delete the Integration to uninstall", len(sorted))
	case len(wanted.targets) == 0 && wanted.total() > 0:
		return v1alpha1.PhasePending, wanted.rights.text()
	case len(wanted.targets) == 0:
		return v1alpha1.PhasePending, "spec.targetSelector matches no IntegrationTarget of this namespace"
	case progress.resolving:
		return resolving(integration, sorted)
	case len(sorted) < len(wanted.targets):
		return v1alpha1.PhasePending, fmt.Sprintf("preparing %d targets", len(wanted.targets))
	}
	phase := phaseOf(sorted[0])
	var parts []string
	if progress.cycle != "" {
		parts = append(parts, inCircle(progress.cycle))
	}
	if text := wanted.rights.text(); text != "" {
		parts = append(parts, text)
		if phase == v1alpha1.PhaseRunning && wanted.total() > len(wanted.targets) {
			// It does not run on all that it is asked to run on.
			phase = v1alpha1.PhasePending
		}
	}
	if text := notable(sorted); text != "" {
		parts = append(parts, text)
	}
	if text := rolledBack(sorted); text != "" {
		parts = append(parts, text)
	}
	if text := progress.plan.Message; text != "" {
		parts = append(parts, text)
		if (phase == v1alpha1.PhasePending || phase == v1alpha1.PhaseRunning) && slices.ContainsFunc(sorted, outdated) {
			// The change goes on, also while no cluster is in the midst of it.
			phase = v1alpha1.PhaseUpgrading
		}
	}
	if len(parts) == 0 {
		parts = append(parts, fmt.Sprintf("running on %d of %d targets", len(sorted), len(wanted.targets)))
		if config := chartOf(integration); config != nil && resolves(integration.Status.ResolvedChart, config) {
			if note := newerVersion(integration.Status.ResolvedChart); note != "" {
				parts = append(parts, note)
			}
		}
	}
	return phase, status.Shorten(strings.Join(parts, "; "), status.MaxMessage)
}

// notable says what there is to say about the worst cluster; nothing where all
// run, or merely wait for their turn.
func notable(sorted []*v1alpha1.Installation) string {
	for i, installation := range sorted {
		phase := phaseOf(installation)
		if phase == v1alpha1.PhaseRunning || (phase == v1alpha1.PhasePending && installation.Spec.WaitsFor != "") {
			continue
		}
		message := installation.Status.Message
		if message == "" {
			message = "waits for its turn"
		}
		text := fmt.Sprintf("%s: %s", installation.TargetName(), message)
		if others := countPhase(sorted[i+1:], phase); others > 0 {
			text += fmt.Sprintf(" (and %d more %s)", others, phase)
		}
		return text
	}
	return ""
}

// rolledBack says on which clusters somebody had an earlier revision brought
// back, which runs there in place of what the spec asks for; empty for none.
func rolledBack(sorted []*v1alpha1.Installation) string {
	text, more := "", 0
	for _, installation := range sorted {
		hold := installation.Status.Hold
		switch {
		case hold == nil || phaseOf(installation) != v1alpha1.PhaseRunning:
			// Any other phase comes with a message that says it.
		case text == "":
			text = fmt.Sprintf("%s: rolled back to revision %d by %s", installation.TargetName(), hold.Revision, hold.RequestedBy)
		default:
			more++
		}
	}
	if more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// outdated tells whether an Installation runs what was asked for before.
func outdated(installation *v1alpha1.Installation) bool {
	return installation.Spec.WaitsFor != "" && touched(installation)
}

func resolving(integration *v1alpha1.Integration, sorted []*v1alpha1.Installation) (v1alpha1.Phase, string) {
	phase, message := v1alpha1.PhasePending, "asking the repository what the version of the chart stands for"
	if config := chartOf(integration); config != nil {
		message = fmt.Sprintf("asking the repository what version %s of chart %s stands for", config.Version, config.Chart)
	}
	if len(sorted) == 0 {
		return phase, message
	}
	if phase = phaseOf(sorted[0]); phase == v1alpha1.PhaseRunning {
		phase = v1alpha1.PhaseUpgrading
	}
	return phase, message
}

func inCircle(cycle string) string {
	return fmt.Sprintf("spec.dependsOn makes Integrations wait for each other: %s: drop one of these dependencies", cycle)
}

func uninstalling(sorted []*v1alpha1.Installation) string {
	if len(sorted) == 0 {
		return "uninstalled"
	}
	text := fmt.Sprintf("uninstalling from %d targets", len(sorted))
	if message := sorted[0].Status.Message; message != "" {
		text += fmt.Sprintf("; %s: %s", sorted[0].TargetName(), message)
	}
	return status.Shorten(text, status.MaxMessage)
}

func countPhase(installations []*v1alpha1.Installation, phase v1alpha1.Phase) int {
	n := 0
	for _, installation := range installations {
		if phaseOf(installation) == phase {
			n++
		}
	}
	return n
}
