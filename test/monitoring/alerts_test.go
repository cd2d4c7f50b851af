// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// story is some series, and which alerts come of them.
type story struct {
	Name   string            `yaml:"name"`
	Series map[string]string `yaml:"series"`
	Expect []struct {
		At    model.Duration `yaml:"at"`
		Alert string         `yaml:"alert"`
		// Labels of those that fire, without alertname; none where none does.
		Labels []map[string]string `yaml:"labels"`
	} `yaml:"expect"`
}

func stories(t *testing.T) []story {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	var all []story
	if err := decoder.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAlerts tells the stories: each alert fires when it should, with the labels
// it should have, and is silent when all is fine or not yet bad for long enough.
func TestAlerts(t *testing.T) {
	all := rules(t)
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, story := range stories(t) {
		t.Run(story.Name, func(t *testing.T) {
			series, end := newMemory(), time.Duration(0)
			for name, values := range story.Series {
				end = max(end, load(t, series, name, values))
			}
			firing := map[time.Duration][]alert{}
			evaluation := newEvaluation(series, all)
			for at := time.Duration(0); at <= end; at += time.Minute {
				firing[at] = evaluation.step(t, time.UnixMilli(0).Add(at))
			}
			for _, want := range story.Expect {
				if at := time.Duration(want.At); at > end {
					t.Errorf("the story ends before %s", at)
				}
				fires[want.Alert] = fires[want.Alert] || len(want.Labels) > 0
				silent[want.Alert] = silent[want.Alert] || len(want.Labels) == 0
				compare(t, want.Alert, time.Duration(want.At), firing[time.Duration(want.At)], want.Labels)
			}
		})
	}
	for _, rule := range alertsOf(all) {
		if !fires[rule.Alert] || !silent[rule.Alert] {
			t.Errorf("no story has %s fire, or none has it silent", rule.Alert)
		}
	}
}

// load adds a series a sample of which comes each minute, and returns when it
// ends.
func load(t *testing.T, into *memory, name, values string) time.Duration {
	t.Helper()
	of, samples, err := expressions().ParseSeriesDesc(name + " " + values)
	if err != nil {
		t.Fatalf("%s %s: %v", name, values, err)
	}
	for n, sample := range samples {
		if !sample.Omitted {
			into.add(of, time.UnixMilli(0).Add(time.Duration(n)*time.Minute), sample.Value)
		}
	}
	return time.Duration(len(samples)-1) * time.Minute
}

var unfilled = regexp.MustCompile(`<no value>|\{\{|\+Inf|NaN`)

// compare checks which alerts of a name fire, and what they say.
func compare(t *testing.T, name string, at time.Duration, firing []alert, want []map[string]string) {
	t.Helper()
	var got []string
	for _, fires := range firing {
		if fires.labels[model.AlertNameLabel] != name {
			continue
		}
		delete(fires.labels, model.AlertNameLabel)
		got = append(got, inOneLine(fires.labels))
		for field, text := range fires.annotations {
			if unfilled.MatchString(text) {
				t.Errorf("%s at %s: %s is %q", name, at, field, text)
			}
		}
	}
	var wanted []string
	for _, labels := range want {
		wanted = append(wanted, inOneLine(labels))
	}
	slices.Sort(got)
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		t.Errorf("%s at %s fires for\n%s\nwant\n%s", name, at, strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
}

func inOneLine(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, name+"="+labels[name])
	}
	return cmp.Or(strings.Join(parts, " "), "no labels")
}

// TestAlertsAreComplete checks that each alert has what whoever is woken by it
// needs.
func TestAlertsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, rule := range alertsOf(rules(t)) {
		if seen[rule.Alert] {
			t.Errorf("there are two alerts %s", rule.Alert)
		}
		seen[rule.Alert] = true
		if !strings.HasPrefix(rule.Alert, "KSIT") || rule.For == 0 || rule.KeepFiringFor != 0 {
			t.Errorf("%s: an alert is named KSIT…, waits a while, and ends with its cause", rule.Alert)
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, rule.Labels["severity"]) {
			t.Errorf("%s: severity is %q", rule.Alert, rule.Labels["severity"])
		}
		for _, field := range []string{"summary", "description", "runbook_url"} {
			if rule.Annotations[field] == "" {
				t.Errorf("%s has no %s", rule.Alert, field)
			}
		}
		if want := "/docs/runbooks.md#" + strings.ToLower(rule.Alert); !strings.HasSuffix(rule.Annotations["runbook_url"], want) {
			t.Errorf("%s: runbook_url is %s, want one that ends with %s", rule.Alert, rule.Annotations["runbook_url"], want)
		}
	}
}
