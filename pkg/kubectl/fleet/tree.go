// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/terminal"
)

// Layout says how a fleet is drawn.
type Layout struct {
	Terminal *terminal.Terminal
	// Now is the time that ages are counted to.
	Now time.Time
	// Targets bounds the targets of each Integration; zero for no bound.
	Targets int
	// Namespaces has each Integration named with its namespace.
	Namespaces bool
}

// detailBound bounds the lines about unhealthy or drifted objects of a target.
const detailBound = 5

// Tree returns the lines that show integrations, their targets, and what is
// there.
func (l *Layout) Tree(entries []Entry) []string {
	var lines []string
	for n, entry := range entries {
		if n > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, l.integration(&entry))
		lines = append(lines, l.targets(entry.Installations)...)
	}
	return lines
}

func (l *Layout) integration(entry *Entry) string {
	i := &entry.Integration
	name := i.Name
	if l.Namespaces {
		name = i.Namespace + "/" + i.Name
	}
	t := l.Terminal
	phase := i.Status.Phase
	if phase == "" {
		phase = v1alpha1.PhasePending
	}
	line := t.Paint(terminal.Strong, name) + "  " + t.Paint(terminal.Plain, string(i.Spec.Type)) + "  " + l.phase(phase) +
		fmt.Sprintf("  %d/%d healthy", i.Status.Healthy, i.Status.Targets)
	if i.Status.Version != "" {
		line += "  " + t.Paint(terminal.Plain, i.Status.Version)
	}
	if i.Status.ObservedGeneration != i.Generation {
		line += "  " + t.Paint(terminal.Pending, "(the newest spec is not seen yet)")
	}
	if phase != v1alpha1.PhaseRunning && !told(i.Status.Message, entry.Installations) {
		line += "  " + t.Paint(terminal.Faint, i.Status.Message)
	}
	return line
}

// told tells whether a message of an Integration only says what the line of a
// target says.
func told(message string, installations []v1alpha1.Installation) bool {
	return message == "" || slices.ContainsFunc(installations, func(i v1alpha1.Installation) bool {
		return i.Status.Message != "" && strings.HasSuffix(message, i.Status.Message)
	})
}

func (l *Layout) targets(installations []v1alpha1.Installation) []string {
	if len(installations) == 0 {
		return []string{"└── " + l.Terminal.Paint(terminal.Faint, "no targets")}
	}
	shown := installations
	if l.Targets > 0 && len(shown) > l.Targets {
		shown = shown[:l.Targets]
	}
	left := installations[len(shown):]
	var lines []string
	for n := range shown {
		branch, indent := "├── ", "│   "
		if n == len(shown)-1 && len(left) == 0 {
			branch, indent = "└── ", "    "
		}
		lines = append(lines, branch+l.target(&shown[n]))
		details := l.details(&shown[n])
		for d, detail := range details {
			twig := "├── "
			if d == len(details)-1 {
				twig = "└── "
			}
			lines = append(lines, indent+twig+detail)
		}
	}
	if len(left) > 0 {
		lines = append(lines, "└── "+l.Terminal.Paint(terminal.Faint, fmt.Sprintf("and %d more: %s (--limit 0 shows all)", len(left), Count(left))))
	}
	return lines
}

func (l *Layout) target(i *v1alpha1.Installation) string {
	line := l.mark(i.PresentPhase()) + " " + l.Terminal.Paint(terminal.Strong, TargetName(i)) + "  " + l.phase(i.PresentPhase())
	if i.Spec.WaitsFor != "" {
		line += "  " + l.Terminal.Paint(terminal.Pending, "waits for "+i.Spec.WaitsFor)
	}
	if i.Status.Message != "" && i.PresentPhase() != v1alpha1.PhaseRunning {
		line += "  " + l.Terminal.Paint(terminal.Plain, i.Status.Message)
	}
	return line
}

// details are what is installed on a target, and all that is not as it should
// be there.
func (l *Layout) details(i *v1alpha1.Installation) []string {
	t := l.Terminal
	var lines []string
	for _, r := range i.Status.Releases {
		lines = append(lines, t.Paint(terminal.Plain, releaseLine(r)))
	}
	lines = append(lines, l.bounded(len(i.Status.Unhealthy), func(n int) string {
		u := i.Status.Unhealthy[n]
		return t.Paint(stateStyle(u.State), "unhealthy") + "  " + t.Paint(terminal.Plain, Object(u.Kind, u.Namespace, u.Name)+": "+join(": ", u.Reason, u.Message))
	})...)
	lines = append(lines, l.bounded(len(i.Status.Drifted), func(n int) string {
		d := i.Status.Drifted[n]
		what := strings.Join(d.Fields, ", ")
		if d.Missing {
			what = "is not there"
		}
		return t.Paint(terminal.Pending, "drifted") + "  " + t.Paint(terminal.Plain, Object(d.Kind, d.Namespace, d.Name)+": "+what)
	})...)
	if h := i.Status.Hold; h != nil {
		lines = append(lines, t.Paint(terminal.Note, "held")+"  "+t.Paint(terminal.Plain, l.hold(h)))
	}
	if o := i.Status.LastOperation; o != nil {
		lines = append(lines, t.Paint(terminal.Faint, "last")+"  "+l.operation(o))
	}
	if at := i.Status.NextRetryTime; at != nil && at.After(l.Now) {
		lines = append(lines, t.Paint(terminal.Pending, "retry")+"  in "+duration.HumanDuration(at.Sub(l.Now))+fmt.Sprintf(", after %d failures", i.Status.Failures))
	}
	return lines
}

func (l *Layout) bounded(n int, line func(int) string) []string {
	var lines []string
	for i := range min(n, detailBound) {
		lines = append(lines, line(i))
	}
	if n > detailBound {
		lines = append(lines, l.Terminal.Paint(terminal.Faint, fmt.Sprintf("and %d more", n-detailBound)))
	}
	return lines
}

func releaseLine(r v1alpha1.ReleaseStatus) string {
	text := r.Name
	if r.Chart != "" && r.Chart != r.Name {
		text += "  " + r.Chart
	}
	if r.Version != "" {
		text += "  " + r.Version
	}
	if r.AppVersion != "" && r.AppVersion != r.Version {
		text += " (app " + r.AppVersion + ")"
	}
	text += "  in " + r.Namespace
	if r.Revision > 0 {
		text += fmt.Sprintf(", revision %d", r.Revision)
	}
	if r.Adopted {
		text += ", adopted"
	}
	return text
}

func (l *Layout) hold(h *v1alpha1.Hold) string {
	text := "rolled back"
	if h.Release != "" {
		text = h.Release + " rolled back"
	}
	if h.Revision > 0 {
		text += fmt.Sprintf(" to revision %d", h.Revision)
	}
	if h.RequestedBy != "" {
		text += " by " + h.RequestedBy
	}
	return text + " " + l.ago(h.Since.Time) + "; what it was rolled back from is held back until the spec changes or a reconcile"
}

func (l *Layout) operation(o *v1alpha1.Operation) string {
	t := l.Terminal
	text := t.Paint(terminal.Plain, string(o.Type)) + " " + t.Paint(outcomeStyle(o.Outcome), string(o.Outcome))
	when := o.StartedAt.Time
	if o.FinishedAt != nil {
		when = o.FinishedAt.Time
	}
	if !when.IsZero() {
		text += " " + l.ago(when)
	}
	if o.RequestedBy != "" {
		text += ", asked for by " + t.Paint(terminal.Plain, o.RequestedBy)
	}
	if o.Message != "" && o.Outcome == v1alpha1.OperationFailed {
		text += ": " + t.Paint(terminal.Plain, o.Message)
	}
	return text
}

func (l *Layout) ago(at time.Time) string {
	return duration.HumanDuration(max(l.Now.Sub(at), 0)) + " ago"
}

// Object names an object as messages do: Deployment argocd/argocd-server.
func Object(kind, namespace, name string) string {
	if namespace == "" {
		return kind + " " + name
	}
	return kind + " " + namespace + "/" + name
}

func join(separator string, parts ...string) string {
	var full []string
	for _, p := range parts {
		if p != "" {
			full = append(full, p)
		}
	}
	return strings.Join(full, separator)
}
