// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package safeyaml

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestBounded(t *testing.T) {
	laughs := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for n := 1; n < 9; n++ {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", n, n, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", n-1), 10), ", "))
	}
	nested := "a0: &a0 [x]\n"
	for n := 1; n < MaxDepth+2; n++ {
		nested += fmt.Sprintf("a%d: &a%d [*a%d]\n", n, n, n-1)
	}
	for name, test := range map[string]struct {
		document string
		want     error
	}{
		"nothing":                 {"", nil},
		"no aliases":              {"a: b & c * d", nil},
		"an alias":                {"a: &a [1, 2]\nb: *a\n", nil},
		"a merge":                 {"a: &a {x: 1}\nb: {<<: *a, y: 2}\n", nil},
		"large without an alias":  {"a: " + strings.Repeat("x&*", MaxSize/2), nil},
		"a billion laughs":        {laughs, errSize},
		"a long text many times":  {"a: &a " + strings.Repeat("x", 100<<10) + "\nb: [" + strings.Repeat("*a, ", 100) + "]\n", errSize},
		"a long key many times":   {"a: &a {" + strings.Repeat("x", 1000) + ": 1}\nb: [" + strings.Repeat("*a, ", 5000) + "]\n", errSize},
		"aliases of aliases":      {nested, errDepth},
		"of itself":               {"a: &a [*a]\n", nil}, // No parser takes it.
		"no YAML":                 {"a: &a [\nb: *a", nil},
		"the second document":     {"a: &a 1\n---\n" + laughs, nil},
		"a key that is no string": {"a: &a {1: 2}\n? *a\n: 3\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Bounded([]byte(test.document)); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}
