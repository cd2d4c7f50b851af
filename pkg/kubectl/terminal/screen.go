// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"fmt"
	"strings"
)

// Screen is the lines at the end of a terminal that are written anew whenever
// they change. It must not be used on what is not interactive.
type Screen struct {
	terminal *Terminal
	shown    []string
}

// NewScreen returns an empty Screen.
func NewScreen(t *Terminal) *Screen { return &Screen{terminal: t} }

// Show replaces what is shown. Lines that are too wide are cut, and of lines
// that do not all fit the last one says how many are left out: what scrolled
// away could not be written over.
func (s *Screen) Show(lines []string) error {
	width, height := s.terminal.Size()
	if most := max(height-1, 1); len(lines) > most {
		left := len(lines) - most + 1
		lines = append(append([]string{}, lines[:most-1]...), s.terminal.Paint(Faint, fmt.Sprintf("… and %d more lines", left)))
	}
	var out strings.Builder
	if n := len(s.shown); n > 0 {
		fmt.Fprintf(&out, "%s%dA\r", escape, n)
	}
	shown := make([]string, 0, len(lines))
	for _, line := range lines {
		line = Cut(line, width)
		shown = append(shown, line)
		out.WriteString(line + escape + "K\n")
	}
	// What was there and is no longer.
	out.WriteString(escape + "J")
	s.shown = shown
	_, err := s.terminal.Write([]byte(out.String()))
	return err
}
