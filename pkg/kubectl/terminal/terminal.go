// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package terminal writes for people: in colour, with bars and in place where
// somebody looks at a terminal, and as plain lines where a program reads.
package terminal

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Terminal is where a command writes.
type Terminal struct {
	io.Writer
	// Interactive is true where what was written can be written over.
	Interactive bool
	// Colour is true where escape sequences for colours are wanted.
	Colour bool

	size func() (width, height int)
}

// When colours are wanted.
const (
	ColourAuto   = "auto"
	ColourAlways = "always"
	ColourNever  = "never"
)

// New returns a Terminal for out. Colours are used as mode says, and with auto
// where out is a terminal that can show them and NO_COLOR is not set.
func New(out io.Writer, mode string, getenv func(string) string) (*Terminal, error) {
	t := &Terminal{Writer: out, size: func() (int, int) { return defaultWidth, defaultHeight }}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) && getenv("TERM") != "dumb" {
		t.Interactive = true
		t.size = func() (int, int) {
			width, height, err := term.GetSize(int(file.Fd()))
			if err != nil || width <= 0 || height <= 0 {
				return defaultWidth, defaultHeight
			}
			return width, height
		}
	}
	switch mode {
	case ColourAuto, "":
		t.Colour = t.Interactive && getenv("NO_COLOR") == ""
	case ColourAlways:
		t.Colour = true
	case ColourNever:
	default:
		return nil, fmt.Errorf("--color is %q, it must be %s, %s or %s", mode, ColourAuto, ColourAlways, ColourNever)
	}
	return t, nil
}

// The size that is assumed where nobody tells.
const (
	defaultWidth  = 80
	defaultHeight = 24
)

// NewFixed returns an interactive Terminal of a size that does not change.
func NewFixed(out io.Writer, width, height int, colour bool) *Terminal {
	return &Terminal{Writer: out, Interactive: true, Colour: colour, size: func() (int, int) { return width, height }}
}

// Size returns how many columns and lines there are now.
func (t *Terminal) Size() (width, height int) { return t.size() }
