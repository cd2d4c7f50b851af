// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package dependency_test

import (
	"errors"
	"fmt"
	"testing"

	"ksit.io/ksit/pkg/dependency"
)

func TestCycle(t *testing.T) {
	for name, test := range map[string]struct {
		graph map[string][]string
		want  string
	}{
		"nothing comes first":           {graph: map[string][]string{}},
		"a chain":                       {graph: map[string][]string{"a": {"b"}, "b": {"c"}}},
		"two ways to the same":          {graph: map[string][]string{"a": {"b", "c"}, "b": {"d"}, "c": {"d"}}},
		"itself":                        {graph: map[string][]string{"a": {"a"}}, want: "a → a"},
		"two":                           {graph: map[string][]string{"a": {"b"}, "b": {"a"}}, want: "a → b → a"},
		"three":                         {graph: map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"a"}}, want: "a → b → c → a"},
		"the shortest":                  {graph: map[string][]string{"a": {"b", "d"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, want: "a → d → a"},
		"a cycle of others":             {graph: map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"b"}}},
		"one that does not exist":       {graph: map[string][]string{"a": {"missing"}}},
		"others that depend on the one": {graph: map[string][]string{"b": {"a"}, "c": {"a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			path, err := dependency.Cycle("a", test.graph["a"], func(name string) ([]string, error) { return test.graph[name], nil })
			if err != nil || path.String() != test.want {
				t.Errorf("got %q (error %v), want %q", path, err, test.want)
			}
		})
	}
}

func TestCycleIsBounded(t *testing.T) {
	reads := 0
	long := func(length int) func(string) ([]string, error) {
		return func(name string) ([]string, error) {
			reads++
			var n int
			if _, err := fmt.Sscanf(name, "i%d", &n); err != nil || n == length {
				return nil, err
			}
			return []string{fmt.Sprintf("i%d", n+1)}, nil
		}
	}
	if _, err := dependency.Cycle("a", []string{"i1"}, long(dependency.MaxReach)); err != nil {
		t.Errorf("%d that come before one: %v", dependency.MaxReach, err)
	}
	reads = 0
	if _, err := dependency.Cycle("a", []string{"i1"}, long(1_000_000)); !errors.Is(err, dependency.ErrTooMany) {
		t.Errorf("a million that come before one: error %v", err)
	}
	if reads > dependency.MaxReach {
		t.Errorf("read %d of them", reads)
	}
}

func TestCycleReportsWhatCannotBeRead(t *testing.T) {
	broken := errors.New("no answer")
	_, err := dependency.Cycle("a", []string{"b"}, func(string) ([]string, error) { return nil, broken })
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
