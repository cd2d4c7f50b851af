// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
func aggregate(integration *v1alpha1.Integration, wanted selection, installations []*v1alpha1.Installation) {
	slices.SortFunc(installations, func(a, b *v1alpha1.Installation) int {
		if d := status.Worse(phaseOf(a), phaseOf(b)); d != 0 {
			return d
		}
		return strings.Compare(a.Spec.Target, b.Spec.Target)
	})
	s := &integration.Status
	s.ObservedGeneration = integration.Generation
	s.LastReconcileRequest = integration.Annotations[v1alpha1.AnnotationReconcile]
	s.Targets = int32(max(len(wanted.targets), len(installations)))
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
	s.Phase, s.Message = sumUp(integration, wanted, installations)
	setConditions(integration, installations)
}

// phaseOf is the phase of an Installation with regard to its present spec:
// what was true of an earlier spec is not said of this one.
func phaseOf(installation *v1alpha1.Installation) v1alpha1.Phase {
	phase := installation.Status.Phase
	switch {
	case installation.DeletionTimestamp != nil:
		return v1alpha1.PhaseUninstalling
	case phase == "":
		return v1alpha1.PhasePending
	case phase == v1alpha1.PhaseRunning && installation.Status.ObservedGeneration != installation.Generation:
		return v1alpha1.PhaseUpgrading
	default:
		return phase
	}
}

func isInstalled(installation *v1alpha1.Installation) bool {
	return installation.Status.ObservedGeneration == installation.Generation &&
		status.IsTrue(installation.Status.Conditions, v1alpha1.ConditionInstalled)
}

func sumUp(integration *v1alpha1.Integration, wanted selection, sorted []*v1alpha1.Installation) (v1alpha1.Phase, string) {
	switch {
	case integration.DeletionTimestamp != nil:
		return v1alpha1.PhaseUninstalling, uninstalling(sorted)
	case integration.Spec.Enabled != nil && !*integration.Spec.Enabled:
		return v1alpha1.PhaseDisabled, "spec.enabled is false: nothing is installed or probed, and what is installed stays"
	case wanted.selectorMatchesNone && len(wanted.targets) == 0 && len(sorted) > 0:
		return phaseOf(sorted[0]), fmt.Sprintf("spec.targetSelector matches no IntegrationTarget any more; what is installed on %d of them is kept: "+
			"label the targets again, or delete the Integration to uninstall", len(sorted))
	case len(wanted.targets) == 0:
		return v1alpha1.PhasePending, "spec.targetSelector matches no IntegrationTarget of this namespace"
	case len(sorted) < len(wanted.targets):
		return v1alpha1.PhasePending, fmt.Sprintf("preparing %d targets", len(wanted.targets))
	}
	worst := sorted[0]
	if phase := phaseOf(worst); phase != v1alpha1.PhaseRunning {
		message := worst.Status.Message
		if message == "" {
			message = "waits for its turn"
		}
		text := fmt.Sprintf("%s: %s", worst.Spec.Target, message)
		if others := countPhase(sorted[1:], phase); others > 0 {
			text += fmt.Sprintf(" (and %d more %s)", others, phase)
		}
		return phase, status.Shorten(text, status.MaxMessage)
	}
	return v1alpha1.PhaseRunning, fmt.Sprintf("running on %d of %d targets", len(sorted), len(wanted.targets))
}

func uninstalling(sorted []*v1alpha1.Installation) string {
	if len(sorted) == 0 {
		return "uninstalled"
	}
	text := fmt.Sprintf("uninstalling from %d targets", len(sorted))
	if message := sorted[0].Status.Message; message != "" {
		text += fmt.Sprintf("; %s: %s", sorted[0].Spec.Target, message)
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

func setConditions(integration *v1alpha1.Integration, sorted []*v1alpha1.Installation) {
	s := &integration.Status
	set := func(kind string, value bool, reason, message string) {
		status.Set(&s.Conditions, integration.Generation, kind, status.Bool(value), reason, message)
	}
	set(v1alpha1.ConditionReady, s.Phase == v1alpha1.PhaseRunning, string(s.Phase), s.Message)
	switch s.Phase {
	case v1alpha1.PhasePending, v1alpha1.PhaseInstalling, v1alpha1.PhaseUpgrading, v1alpha1.PhaseUninstalling:
		set(v1alpha1.ConditionProgressing, true, string(s.Phase), s.Message)
	default:
		set(v1alpha1.ConditionProgressing, false, string(s.Phase), "no work goes on")
	}
	for _, installation := range sorted {
		if stalled := meta.FindStatusCondition(installation.Status.Conditions, v1alpha1.ConditionStalled); stalled != nil && stalled.Status == metav1.ConditionTrue {
			set(v1alpha1.ConditionStalled, true, stalled.Reason, fmt.Sprintf("%s: %s", installation.Spec.Target, stalled.Message))
			return
		}
	}
	set(v1alpha1.ConditionStalled, false, "AsExpected", "no target needs help")
}

// source names what is installed, for the column CHART.
func source(integration *v1alpha1.Integration) string {
	auto := integration.Spec.AutoInstall
	switch {
	case auto == nil || !auto.Enabled:
		return ""
	case auto.HelmConfig != nil:
		return auto.HelmConfig.Chart
	case auto.ManifestConfig == nil:
		return ""
	case auto.ManifestConfig.ConfigMapRef != nil:
		return "configmap/" + auto.ManifestConfig.ConfigMapRef.Name
	case auto.ManifestConfig.URL != "":
		return auto.ManifestConfig.URL
	default:
		return "inline"
	}
}

// versionOf is the version of what the user named: the last release, after
// those that it needs.
func versionOf(installation *v1alpha1.Installation) string {
	if n := len(installation.Status.Releases); n > 0 {
		return installation.Status.Releases[n-1].Version
	}
	return ""
}

func versions(installations []*v1alpha1.Installation) string {
	var all []string
	for _, installation := range installations {
		if version := versionOf(installation); version != "" && !slices.Contains(all, version) {
			all = append(all, version)
		}
	}
	slices.Sort(all)
	if len(all) > maxVersions {
		all = append(all[:maxVersions], "…")
	}
	return strings.Join(all, ",")
}

func summaries(sorted []*v1alpha1.Installation) []v1alpha1.TargetSummary {
	sorted = sorted[:min(len(sorted), maxSummaries)]
	lines := make([]v1alpha1.TargetSummary, 0, len(sorted))
	for _, installation := range sorted {
		lines = append(lines, v1alpha1.TargetSummary{
			Target:  installation.Spec.Target,
			Phase:   phaseOf(installation),
			Version: versionOf(installation),
			Message: status.Shorten(installation.Status.Message, maxSummaryMessage),
		})
	}
	return lines
}
