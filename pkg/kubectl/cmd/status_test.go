// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/fleet"
	"ksit.io/ksit/pkg/kubectl/hosttest"
	"ksit.io/ksit/pkg/kubectl/terminal"
)

func storyHost(t *testing.T) *hosttest.Host {
	host := hosttest.New(t)
	host.Put(t, integration("web", v1alpha1.PhaseDegraded, 2, 1), integration("empty", v1alpha1.PhasePending, 0, 0))
	host.Put(t, installed("web", 1, v1alpha1.PhaseRunning), degraded(2))
	elsewhere := integration("far", v1alpha1.PhaseRunning, 0, 0)
	elsewhere.Namespace = "team-b"
	host.Put(t, elsewhere)
	return host
}

func TestStatus(t *testing.T) {
	c := newClient(t, storyHost(t))
	for _, test := range []struct {
		golden string
		args   []string
	}{
		{"status-tree", []string{"status"}},
		{"status-one", []string{"status", "web"}},
		{"status-colour", []string{"status", "web", "--color", "always"}},
		{"status-all", []string{"status", "-A"}},
		{"status-wide", []string{"status", "-o", "wide"}},
		{"status-all-wide", []string{"status", "-A", "-o", "wide"}},
		{"status-name", []string{"status", "-o", "name"}},
	} {
		t.Run(test.golden, func(t *testing.T) {
			r := c.run(test.args...)
			r.expect(t, 0)
			golden(t, test.golden+".golden", r.out)
		})
	}
}

func TestStatusCannotSteerTheTerminal(t *testing.T) {
	c := newClient(t, storyHost(t))
	for _, args := range [][]string{{"status"}, {"status", "-o", "wide"}} {
		if r := c.run(args...); strings.Contains(r.out, "\x1b") {
			t.Errorf("%v printed an escape sequence of a message: %q", args, r.out)
		}
	}
}

func TestStatusAsObjects(t *testing.T) {
	c := newClient(t, storyHost(t))
	r := c.run("status", "-o", "json")
	r.expect(t, 0)
	var list struct {
		Kind  string
		Items []struct {
			Kind, APIVersion string
			Metadata         struct{ Name string }
		}
	}
	if err := json.Unmarshal([]byte(r.out), &list); err != nil {
		t.Fatal(err)
	}
	if list.Kind != "List" || len(list.Items) != 4 || list.Items[0].Kind != "Integration" || list.Items[0].APIVersion != "ksit.io/v1alpha1" {
		t.Errorf("got %s", r.out)
	}
	c.run("status", "-o", "yaml").expect(t, 0, "kind: List", "kind: Installation")
}

func TestStatusOfALargeFleetIsBounded(t *testing.T) {
	host := hosttest.New(t)
	host.Put(t, integration("web", v1alpha1.PhaseFailed, 200, 198))
	for n := range 200 {
		phase := v1alpha1.PhaseRunning
		if n == 77 || n == 142 {
			phase = v1alpha1.PhaseFailed
		}
		host.Put(t, installed("web", n, phase))
	}
	c := newClient(t, host)
	r := c.run("status")
	r.expect(t, 0, "and 180 more: 180 Running (--limit 0 shows all)")
	if lines := strings.Split(r.out, "\n"); len(lines) > 50 || !strings.Contains(lines[1], target(142)) {
		t.Errorf("the failed ones are not first, or there are too many lines:\n%s", r.out)
	}
	if r := c.run("status", "--limit", "0"); strings.Count(r.out, target(1)) < 100 {
		t.Errorf("--limit 0 does not show all")
	}
	if r := c.run("status", "-o", "wide"); strings.Count(r.out, "\n") != 201 {
		t.Errorf("the table has %d lines", strings.Count(r.out, "\n"))
	}
}

func TestStatusWithNothing(t *testing.T) {
	c := newClient(t, hosttest.New(t))
	c.run("status").expect(t, 0, "No Integrations found in namespace team-a.")
	c.run("status", "-A").expect(t, 0, "No Integrations found")
	c.run("status", "-o", "json").expect(t, 0, `"items": []`)
	c.run("status", "web").expect(t, 1, `Error from server (NotFound): integrations.ksit.io "web" not found`)
}

func TestStatusRefusesFlags(t *testing.T) {
	c := newClient(t, hosttest.New(t))
	for want, args := range map[string][]string{
		`--output is "xml"`:      {"status", "-o", "xml"},
		"do not go together":     {"status", "-w", "-o", "json"},
		"--limit is -1":          {"status", "--limit", "-1"},
		`--color is "pink"`:      {"status", "--color", "pink"},
		"is a target":            {"status", "target/x"},
		"is no name":             {"status", "Not_A_Name"},
		"must be no more than":   {"status", strings.Repeat("a", 300)},
		"accepts at most 1 arg":  {"status", "a", "b"},
		"unknown flag: --colour": {"status", "--colour", "always"},
	} {
		c.run(args...).expect(t, 1, "error: ", want)
	}
	for _, args := range [][]string{{"history", strings.Repeat("a", 64)}, {"rollback", strings.Repeat("a.b", 30)}} {
		c.run(args...).expect(t, 1, "must be no more than 63 characters")
	}
}

// TestHelp keeps to what is a command's own.
func TestHelp(t *testing.T) {
	c := newClient(t, hosttest.New(t))
	r := c.run("--help")
	r.expect(t, 0, "Look:\n", "Change:\n", "Clusters:\n", "kubectl ksit [command]")
	if strings.Contains(r.out, "--as-group") {
		t.Errorf("all flags of kubectl are shown:\n%s", r.out)
	}
	c.run("rollback", "--help").expect(t, 0, "kubectl ksit rollback INTEGRATION --target TARGET", "--to-revision", `Use "kubectl ksit options" for the flags`)
	c.run("options").expect(t, 0, "--as-group", "--color", "--namespace")
}

func TestStatusWatchRedrawsOnATerminal(t *testing.T) {
	var out bytes.Buffer
	c := newClient(t, hosttest.New(t))
	o := &statusOptions{session: c.session(&out, &out), limit: 20}
	show := o.redraw(terminal.NewFixed(&out, 60, 24, false))
	web := integration("web", v1alpha1.PhaseRunning, 1, 1)
	if err := show(fleet.Join([]v1alpha1.Integration{*web}, []v1alpha1.Installation{*installed("web", 1, v1alpha1.PhaseUpgrading)})); err != nil {
		t.Fatal(err)
	}
	first := out.String()
	out.Reset()
	if err := show(nil); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(first, "… production-cluster-1  Upgrading\x1b[K\n") || !strings.HasPrefix(out.String(), "\x1b[4A\rno Integrations\x1b[K\n12:00:00  Ctrl-C ends") {
		t.Errorf("first %q, then %q", first, out.String())
	}
}

func TestStatusWatchAppendsWhereNobodyLooks(t *testing.T) {
	host := storyHost(t)
	c := newClient(t, host)
	lines := c.follow("status", "web", "--watch")
	lines.until(t, "web  production-cluster-2  Degraded")
	healed := installed("web", 2, v1alpha1.PhaseRunning)
	host.Put(t, healed)
	lines.until(t, "web  production-cluster-2  Running")
	lines.stop(t, 0)
	if text := lines.String(); strings.Contains(text, "\x1b") {
		t.Errorf("escape sequences in %q", text)
	} else if n := strings.Count(text, "production-cluster-1"); n != 1 {
		t.Errorf("what did not change is told %d times:\n%s", n, text)
	}
}
