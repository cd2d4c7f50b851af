// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"fmt"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/fleet"
	"ksit.io/ksit/pkg/kubectl/terminal"
)

// Reporter shows items: as bars that move on a terminal, else as a line for
// each change.
type Reporter struct {
	terminal *terminal.Terminal
	screen   *terminal.Screen
	said     map[string]string
}

// NewReporter returns a Reporter that has shown nothing yet.
func NewReporter(t *terminal.Terminal) *Reporter {
	return &Reporter{terminal: t, screen: terminal.NewScreen(t), said: map[string]string{}}
}

// barsShown bounds the bars: of a large fleet, those that matter are first.
const barsShown = 20

// Show shows how far the items are.
func (r *Reporter) Show(items []Item) error {
	if !r.terminal.Interactive {
		return r.lines(items)
	}
	width, done := 0, 0
	items = inOrder(items)
	shown := items[:min(len(items), barsShown)]
	for _, item := range shown {
		width = max(width, len([]rune(item.Name)))
	}
	var lines []string
	for _, item := range shown {
		lines = append(lines, r.bar(item, width))
	}
	for _, item := range items {
		if item.State == Succeeded {
			done++
		}
	}
	if left := len(items) - len(shown); left > 0 {
		lines = append(lines, r.terminal.Paint(terminal.Faint, fmt.Sprintf("and %d more; %d of %d done", left, done, len(items))))
	}
	return r.screen.Show(lines)
}

func (r *Reporter) bar(item Item, width int) string {
	style := fleet.PhaseStyle(item.Phase)
	switch item.State {
	case Succeeded:
		style = terminal.Good
	case Failed:
		style = terminal.Bad
	}
	line := fmt.Sprintf("%s %s %s %s", r.mark(item), terminal.Pad(r.terminal.Paint(terminal.Plain, item.Name), width),
		r.terminal.Bar(item.Done, item.Total, style), r.terminal.Paint(style, string(item.Phase)))
	if item.State == Going && item.Total > 1 && item.Done > 0 {
		line += fmt.Sprintf(" %d/%d", item.Done, item.Total)
	}
	if item.Message != "" {
		line += "  " + r.terminal.Paint(terminal.Plain, item.Message)
	}
	return line
}

// mark is that of the phase, unless what was asked for has failed: a rollback may
// fail where everything runs.
func (r *Reporter) mark(item Item) string {
	if item.State == Failed {
		return fleet.Mark(r.terminal, v1alpha1.PhaseFailed)
	}
	return fleet.Mark(r.terminal, item.Phase)
}

// lines says what changed. A message that changes while the phase stays is
// news only at the end.
func (r *Reporter) lines(items []Item) error {
	for _, item := range items {
		// The whole, while its targets have more to say.
		if item.Total == 0 && item.State == Going && len(items) > 1 {
			continue
		}
		news := fmt.Sprint(item.Phase, item.State)
		if r.said[item.Name] == news {
			continue
		}
		r.said[item.Name] = news
		line := fmt.Sprintf("%s %s: %s", r.mark(item), r.terminal.Paint(terminal.Plain, item.Name),
			r.terminal.Paint(fleet.PhaseStyle(item.Phase), string(item.Phase)))
		if item.Message != "" && item.State != Succeeded {
			line += ": " + r.terminal.Paint(terminal.Plain, item.Message)
		}
		if _, err := fmt.Fprintln(r.terminal, line); err != nil {
			return err
		}
	}
	return nil
}
