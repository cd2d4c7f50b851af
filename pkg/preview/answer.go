// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// maxMessage bounds a message about an object, and a note, in bytes.
const maxMessage = 1024

// noteKind is what there is to say of many objects at once.
type noteKind int

const (
	noteNone noteKind = iota
	// noteUnknownKind: its CRD comes with it.
	noteUnknownKind
	// noteAbsentNamespace: its namespace is not there yet.
	noteAbsentNamespace
	// noteNoDryRun: a webhook takes no dry runs.
	noteNoDryRun
	// noteDrift: an apply would not even look.
	noteDrift
	noteKinds
)

var noteTexts = [noteKinds]string{
	noteUnknownKind:     "%d objects are of kinds that the cluster does not know yet, or that change with the CRDs of the release: what it would make of them is not known",
	noteAbsentNamespace: "%d objects are in namespaces that would be made: whether the cluster would take them is not known",
	noteNoDryRun:        "%d objects go to webhooks that take no dry runs: what would become of those that are there is not known",
	noteDrift:           "%d objects differ although the release is as the spec says. That is drift: an apply leaves it, unless autoInstall.drift.mode is Correct",
}

// answer puts findings together, within the bounds of a diff.
func answer(plan *Plan, found []finding, unchanged bool) *v1alpha1.InstallationDiffStatus {
	status := &v1alpha1.InstallationDiffStatus{Releases: plan.Releases, Notes: plan.Notes}
	var counts [noteKinds]int
	var single []string
	room := v1alpha1.MaxManifest
	for _, f := range found {
		counts[f.kind]++
		if f.note != "" {
			single = append(single, f.note)
		}
		if f.diff.Change == "" || !count(&status.Summary, f.diff.Change) && !unchanged {
			continue
		}
		if len(status.Objects) == v1alpha1.MaxDiffObjects {
			status.Truncated = true
			continue
		}
		if len(f.diff.Diff) > room {
			// That it changes is still told.
			f.diff.Diff, status.Truncated = "", true
		}
		room -= len(f.diff.Diff)
		status.Objects = append(status.Objects, f.diff)
	}
	for kind := noteNone + 1; kind < noteKinds; kind++ {
		if counts[kind] > 0 {
			status.Notes = append(status.Notes, fmt.Sprintf(noteTexts[kind], counts[kind]))
		}
	}
	status.Notes = append(status.Notes, single...)
	if more := len(status.Notes) - v1alpha1.MaxDiffNotes; more > 0 {
		status.Notes = append(status.Notes[:v1alpha1.MaxDiffNotes-1:v1alpha1.MaxDiffNotes-1], fmt.Sprintf("and %d more", more+1))
	}
	for n := range status.Notes {
		status.Notes[n] = shorten(status.Notes[n])
	}
	return status
}

// count counts an object, and tells whether it would change.
func count(summary *v1alpha1.DiffSummary, change v1alpha1.DiffChange) bool {
	switch change {
	case v1alpha1.DiffAdded:
		summary.Added++
	case v1alpha1.DiffChanged:
		summary.Changed++
	case v1alpha1.DiffRemoved:
		summary.Removed++
	case v1alpha1.DiffUnchanged:
		summary.Unchanged++
		return false
	}
	return true
}

func shorten(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) <= maxMessage {
		return text
	}
	cut := maxMessage - len("…")
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
