// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/terminal"
)

func items() []Item {
	return []Item{
		{Name: "web on one", State: Succeeded, Phase: v1alpha1.PhaseRunning, Done: 3, Total: 3},
		{Name: "web on production-cluster-2", Phase: v1alpha1.PhaseUpgrading, Done: 1, Total: 3, Message: "2 of 3 checks"},
		{Name: "web on three", State: Failed, Phase: v1alpha1.PhaseFailed, Total: 3, Message: "no such chart\x1b[2J"},
	}
}

func TestBarsOnATerminal(t *testing.T) {
	var out bytes.Buffer
	r := NewReporter(terminal.NewFixed(&out, 100, 24, false))
	if err := r.Show(items()); err != nil {
		t.Fatal(err)
	}
	const want = "✗ web on three                ░░░░░░░░░░░░░░░░░░░░ Failed  no such chart\ufffd[2J\x1b[K\n" +
		"… web on production-cluster-2 ██████░░░░░░░░░░░░░░ Upgrading 1/3  2 of 3 checks\x1b[K\n" +
		"✓ web on one                  ████████████████████ Running\x1b[K\n\x1b[J"
	if out.String() != want {
		t.Errorf("got\n%q\nwant\n%q", out.String(), want)
	}
	out.Reset()
	if err := r.Show(items()[:1]); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, "\x1b[3A\r") {
		t.Errorf("the bars before are not written over: %q", got)
	}
}

func TestBarsOfALargeFleetAreBounded(t *testing.T) {
	var out bytes.Buffer
	r := NewReporter(terminal.NewFixed(&out, 100, 60, false))
	var all []Item
	for n := range 200 {
		all = append(all, Item{Name: fmt.Sprintf("web on %d", n), State: Succeeded, Phase: v1alpha1.PhaseRunning})
	}
	all[150].State = Going
	if err := r.Show(all); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != barsShown+2 || !strings.Contains(lines[0], "web on 150") || !strings.Contains(lines[barsShown], "and 180 more; 199 of 200 done") {
		t.Errorf("got\n%s", out.String())
	}
}

func TestLinesElsewhere(t *testing.T) {
	var out bytes.Buffer
	term, err := terminal.New(&out, terminal.ColourAuto, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	r := NewReporter(term)
	for range 3 {
		if err := r.Show(items()); err != nil {
			t.Fatal(err)
		}
	}
	const want = "✓ web on one: Running\n… web on production-cluster-2: Upgrading: 2 of 3 checks\n✗ web on three: Failed: no such chart\ufffd[2J\n"
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
}

// TestFailureWhereAllRuns shows a rollback that fails while the release runs on.
func TestFailureWhereAllRuns(t *testing.T) {
	failed := []Item{{Name: "web on one", State: Failed, Phase: v1alpha1.PhaseRunning, Total: 1, Message: "no such revision"}}
	var bars, lines bytes.Buffer
	if err := NewReporter(terminal.NewFixed(&bars, 100, 24, false)).Show(failed); err != nil {
		t.Fatal(err)
	}
	term, err := terminal.New(&lines, terminal.ColourAuto, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if err := NewReporter(term).Show(failed); err != nil {
		t.Fatal(err)
	}
	if got := lines.String(); got != "✗ web on one: Running: no such revision\n" || !strings.HasPrefix(bars.String(), "✗ web on one ") {
		t.Errorf("got %q and %q", got, bars.String())
	}
}

func TestErrorIsBounded(t *testing.T) {
	e := &Error{Summary: "50 of 50 failed"}
	for n := range 50 {
		e.Reasons = append(e.Reasons, fmt.Sprint("reason ", n))
	}
	if text := e.Error(); strings.Count(text, "\n") != reasonsShown+1 || !strings.HasSuffix(text, "and 30 more") {
		t.Errorf("got %s", text)
	}
}
