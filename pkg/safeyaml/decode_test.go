// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package safeyaml

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func TestDecode(t *testing.T) {
	for name, test := range map[string]struct {
		in   string
		want any
	}{
		"nothing":                   {"", nil},
		"comments":                  {"# nothing\n---\n# more\n", nil},
		"one document":              {"---\na: 1\n---\n# nothing\n", map[string]any{"a": json.Number("1")}},
		"JSON":                      {`{"a": [1, true, null, "x"]}`, map[string]any{"a": []any{json.Number("1"), true, nil, "x"}}},
		"numbers":                   {"[12345678901234567, 18446744073709551615, 1.5, 1e3, 0x10]", []any{json.Number("12345678901234567"), json.Number("18446744073709551615"), json.Number("1.5"), json.Number("1000"), json.Number("16")}},
		"words of YAML 1.1":         {"[yes, off, ~, '1', 2001-01-01]", []any{true, false, nil, "1", "2001-01-01"}},
		"keys":                      {"{1: a, true: b, 1.5: c, d: e}", map[string]any{"1": "a", "true": "b", "1.5": "c", "d": "e"}},
		"a key that is there twice": {"a: 1\na: 2", map[string]any{"a": json.Number("2")}},
		"aliases":                   {"a: &x {b: c}\nd: *x\ne: {<<: *x, f: g}", map[string]any{"a": map[string]any{"b": "c"}, "d": map[string]any{"b": "c"}, "e": map[string]any{"b": "c", "f": "g"}}},
		"blocks":                    {"a: |\n  x\n  ---\n  y\n", map[string]any{"a": "x\n---\ny\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode([]byte(test.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	laughs := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for n := range 9 {
		laughs += fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", n+1, n+1, n, n, n, n, n, n, n, n, n)
	}
	for name, test := range map[string]struct{ in, want string }{
		"no YAML":              {"a: b\nhunter2: [", "it is not YAML: line 2"},
		"an unknown alias":     {"a: *hunter2", "it is not YAML"},
		"two documents":        {"a: 1\n---\nb: 2", errDocuments.Error()},
		"a list as a key":      {"? [hunter2]\n: b", "it is not YAML"},
		"null as a key":        {"~: b", errKey.Error()},
		"the same key":         {"1: a\n'1': b", errSameKey.Error()},
		"not UTF-8":            {"a: \xff", errText.Error()},
		"binary":               {"a: !!binary /w==", errText.Error()},
		"infinite":             {"a: .inf", errNumber.Error()},
		"too deep":             {strings.Repeat("[", MaxDepth+2) + strings.Repeat("]", MaxDepth+2), errDepth.Error()},
		"a billion laughs":     {laughs, "it is not YAML"},
		"a long text repeated": {"a: &a " + strings.Repeat("x", 500_000) + "\nb: [" + strings.Repeat("*a,", 50_000) + "]", errSize.Error()},
		"a merge of itself":    {"a: &a {<<: *a}", "it is not YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode([]byte(test.in))
			if err == nil || err.Error() != test.want {
				t.Fatalf("got %.100v, error %v, want %s", got, err, test.want)
			}
		})
	}
}

// FuzzDecode makes sure that what is read is what sigs.k8s.io/yaml reads.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "a: 1", "[1, 2.5, 1e30]", "{1: a, yes: b}", "a: &x 1\nb: *x", "a: |\n x", "--- a\n--- b", "a: !!binary YQ==", "a: 0o7", "<<: {a: b}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Decode([]byte(text))
		if err != nil {
			return
		}
		encoded, err := json.Marshal(got)
		if err != nil {
			t.Fatalf("%q became what is no JSON: %v", text, err)
		}
		reference, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Fatalf("%q is read as %s, but is refused by sigs.k8s.io/yaml: %v", text, encoded, err)
		}
		var a, b any
		if json.Unmarshal(encoded, &a) != nil || json.Unmarshal(reference, &b) != nil {
			t.Fatalf("%q: %s, %s", text, encoded, reference)
		}
		if diff := cmp.Diff(b, a); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	})
}
