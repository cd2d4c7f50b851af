// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestColours(t *testing.T) {
	env := func(name string) string { return map[string]string{"NO_COLOR": "1"}[name] }
	for mode, want := range map[string]bool{ColourAuto: false, ColourAlways: true, ColourNever: false, "": false} {
		var out bytes.Buffer
		term, err := New(&out, mode, env)
		if err != nil {
			t.Fatal(err)
		}
		if term.Colour != want || term.Interactive {
			t.Errorf("%q: %+v", mode, term)
		}
	}
	if _, err := New(nil, "pink", env); err == nil || !strings.Contains(err.Error(), `--color is "pink"`) {
		t.Errorf("got %v", err)
	}
	plain := NewFixed(nil, 80, 24, false)
	if got := plain.Paint(Bad, "a\x1b[31mb\nc\u202ed"); got != "a\ufffd[31mb c\ufffdd" {
		t.Errorf("got %q", got)
	}
	coloured := NewFixed(nil, 80, 24, true)
	if got := coloured.Paint(Bad, "x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("got %q", got)
	}
}

func TestCut(t *testing.T) {
	term := NewFixed(nil, 80, 24, true)
	red := term.Paint(Bad, "abcdef")
	for _, test := range []struct {
		text    string
		columns int
		want    string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"äöü", 2, "ä…"}, {"abc", 0, ""},
		{red, 6, red}, {red, 4, "\x1b[31mabc…\x1b[0m"}, {"ab" + red, 2, "a…"},
	} {
		if got := Cut(test.text, test.columns); got != test.want {
			t.Errorf("Cut(%q, %d) is %q, want %q", test.text, test.columns, got, test.want)
		}
	}
	if got := Pad(red, 8); got != red+"  " {
		t.Errorf("got %q", got)
	}
}

// screen plays a terminal: it keeps what is seen.
type screen struct {
	lines []string
	row   int
}

func (s *screen) write(t *testing.T, text string) {
	t.Helper()
	for text != "" {
		var up int
		switch {
		case strings.HasPrefix(text, "\x1b[K"):
			text = text[3:]
		case strings.HasPrefix(text, "\x1b[J"):
			s.lines, text = s.lines[:s.row], text[3:]
		case strings.HasPrefix(text, "\x1b["):
			if _, err := fmt.Sscanf(text, "\x1b[%dA\r", &up); err != nil {
				t.Fatalf("unknown sequence in %q", text)
			}
			s.row -= up
			text = text[strings.IndexByte(text, '\r')+1:]
		default:
			line, rest, _ := strings.Cut(text, "\n")
			s.lines = append(s.lines[:s.row], append([]string{strings.TrimSuffix(line, "\x1b[K")}, s.lines[min(s.row+1, len(s.lines)):]...)...)
			s.row++
			text = rest
		}
	}
}

func TestScreenWritesOver(t *testing.T) {
	var out bytes.Buffer
	term := NewFixed(&out, 10, 5, false)
	shown := NewScreen(term)
	var seen screen
	for _, step := range []struct{ lines, want []string }{
		{[]string{"one", "two"}, []string{"one", "two"}},
		{[]string{"three"}, []string{"three"}},
		{[]string{"a line that is too wide"}, []string{"a line th…"}},
		{[]string{"1", "2", "3", "4", "5", "6"}, []string{"1", "2", "3", "… and 3 m…"}},
		{nil, nil},
	} {
		out.Reset()
		if err := shown.Show(step.lines); err != nil {
			t.Fatal(err)
		}
		seen.write(t, out.String())
		if got, want := strings.Join(seen.lines, "\n"), strings.Join(step.want, "\n"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestBar(t *testing.T) {
	term := NewFixed(nil, 80, 24, false)
	for _, test := range []struct{ done, total, full int }{{0, 4, 0}, {1, 4, 5}, {4, 4, 20}, {9, 4, 20}, {-1, 4, 0}, {0, 0, 0}} {
		bar := term.Bar(test.done, test.total, Good)
		if got := strings.Count(bar, "█"); got != test.full || utf8.RuneCountInString(bar) != 20 {
			t.Errorf("%d of %d is %q", test.done, test.total, bar)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b]0;title\x07b\r\n\u202e\xff", 5)
	f.Fuzz(func(t *testing.T, text string, columns int) {
		clean := Clean(text)
		if strings.ContainsAny(clean, "\x1b\x07\n\r\u202e\u009b") || !utf8.ValidString(clean) {
			t.Errorf("Clean(%q) is %q", text, clean)
		}
		columns %= 200
		if cut := Cut(clean, columns); utf8.RuneCountInString(cut) > max(columns, 0) {
			t.Errorf("Cut(%q, %d) is %q", clean, columns, cut)
		}
	})
}
