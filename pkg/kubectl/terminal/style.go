// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Style is how something looks.
type Style string

// The styles, as what goes between ESC [ and m.
const (
	Plain   Style = ""
	Good    Style = "32"
	Bad     Style = "31"
	Pending Style = "33"
	Note    Style = "36"
	Faint   Style = "2"
	Strong  Style = "1"
)

const (
	escape = "\x1b["
	reset  = escape + "0m"
)

// Paint returns text in a style, where colours are wanted. The text is cleaned:
// what comes from a cluster can not steer the terminal.
func (t *Terminal) Paint(style Style, text string) string {
	text = Clean(text)
	if !t.Colour || style == Plain || text == "" {
		return text
	}
	return escape + string(style) + "m" + text + reset
}

// Clean returns text without characters that steer a terminal or turn the
// direction of writing. Line breaks become blanks, tabs stay.
func Clean(text string) string {
	if strings.IndexFunc(text, steers) < 0 && utf8.ValidString(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r':
			return ' '
		case steers(r):
			return utf8.RuneError
		default:
			return r
		}
	}, text)
}

// CleanLines cleans text line by line: its line breaks stay.
func CleanLines(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = Clean(line)
	}
	return strings.Join(lines, "\n")
}

func steers(r rune) bool {
	return r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}

// Cut returns what of text fits into a number of columns. Escape sequences of
// Paint take none, and a colour that is cut ends there. Every other character
// counts as one column.
func Cut(text string, columns int) string {
	if columns <= 0 {
		return ""
	}
	var out strings.Builder
	used, coloured := 0, false
	for i := 0; i < len(text); {
		if strings.HasPrefix(text[i:], escape) {
			if end := strings.IndexByte(text[i:], 'm'); end > 0 {
				sequence := text[i : i+end+1]
				out.WriteString(sequence)
				coloured = sequence != reset
				i += end + 1
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if used == columns-1 && columnsOf(text[i+size:]) > 0 {
			out.WriteRune('…')
			if coloured {
				out.WriteString(reset)
			}
			return out.String()
		}
		out.WriteRune(r)
		used++
		i += size
	}
	return out.String()
}

// columnsOf counts the columns that text takes.
func columnsOf(text string) int {
	n := 0
	for i := 0; i < len(text); {
		if strings.HasPrefix(text[i:], escape) {
			if end := strings.IndexByte(text[i:], 'm'); end > 0 {
				i += end + 1
				continue
			}
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		i += size
		n++
	}
	return n
}

// Pad returns text with blanks up to a number of columns.
func Pad(text string, columns int) string {
	if missing := columns - columnsOf(text); missing > 0 {
		return text + strings.Repeat(" ", missing)
	}
	return text
}
