// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package changes

import (
	"fmt"
	"io"
	"strings"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/fleet"
	"ksit.io/ksit/pkg/kubectl/terminal"
)

// targetsShown bounds the names in the title of a group.
const targetsShown = 5

// Show writes a group: the targets, the releases whose version changes, each
// object's unified diff, and a summary.
func Show(t *terminal.Terminal, g Group) error {
	w := &writer{terminal: t}
	plural := "target"
	if len(g.Targets) > 1 {
		plural = fmt.Sprintf("%d targets", len(g.Targets))
	}
	w.line(terminal.Strong, fmt.Sprintf("# %s: %s", plural, fleet.Some(g.Targets, targetsShown)))
	w.releases(g.Answer.Before, g.Answer.Diff.Releases)
	for _, object := range g.Answer.Diff.Objects {
		w.object(object)
	}
	for _, note := range g.Answer.Diff.Notes {
		w.line(terminal.Faint, "# note: "+note)
	}
	if g.Answer.Diff.Truncated {
		w.line(terminal.Pending, "# there is more than fits into an answer: not all objects are shown")
	}
	w.line(terminal.Strong, "# "+Summary(&g.Answer))
	return w.err
}

// Summary says in a line how many objects would change.
func Summary(a *Answer) string {
	s := a.Diff.Summary
	text := fmt.Sprintf("%d to add, %d to change, %d to remove, %d unchanged", s.Added, s.Changed, s.Removed, s.Unchanged)
	if n := a.Refused(); n > 0 {
		text += fmt.Sprintf(", %d that the cluster would refuse", n)
	}
	return text
}

// writer writes until the first error.
type writer struct {
	terminal *terminal.Terminal
	err      error
}

func (w *writer) line(style terminal.Style, text string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.terminal, w.terminal.Paint(style, text)+"\n")
	}
}

// releases says which chart becomes which.
func (w *writer) releases(before, after []v1alpha1.ReleaseStatus) {
	was := map[string]v1alpha1.ReleaseStatus{}
	for _, r := range before {
		was[r.Namespace+"/"+r.Name] = r
	}
	for _, r := range after {
		old, there := was[r.Namespace+"/"+r.Name]
		switch {
		case !there:
			w.line(terminal.Good, fmt.Sprintf("# release %s in %s: new, %s %s", r.Name, r.Namespace, r.Chart, r.Version))
		case old.Chart != r.Chart || old.Version != r.Version:
			w.line(terminal.Pending, fmt.Sprintf("# release %s in %s: %s %s -> %s %s", r.Name, r.Namespace, old.Chart, old.Version, r.Chart, r.Version))
		}
	}
}

func (w *writer) object(o v1alpha1.ObjectDiff) {
	name := fleet.Object(o.Kind, o.Namespace, o.Name)
	style := map[v1alpha1.DiffChange]terminal.Style{
		v1alpha1.DiffAdded: terminal.Good, v1alpha1.DiffRemoved: terminal.Bad,
		v1alpha1.DiffChanged: terminal.Pending, v1alpha1.DiffRefused: terminal.Bad,
	}[o.Change]
	text := fmt.Sprintf("# %s %s (%s)", o.Change, name, o.APIVersion)
	if o.Message != "" {
		text += ": " + o.Message
	}
	w.line(style, text)
	if o.Diff == "" {
		return
	}
	for _, line := range strings.Split(strings.TrimSuffix(o.Diff, "\n"), "\n") {
		w.line(lineStyle(line), line)
	}
}

func lineStyle(line string) terminal.Style {
	switch {
	case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"):
		return terminal.Strong
	case strings.HasPrefix(line, "@@"):
		return terminal.Note
	case strings.HasPrefix(line, "+"):
		return terminal.Good
	case strings.HasPrefix(line, "-"):
		return terminal.Bad
	default:
		return terminal.Plain
	}
}
