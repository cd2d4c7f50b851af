// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package safeyaml

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

func readDocuments(stream []byte) (documents []string, err error) {
	reader := NewDocuments(stream)
	for {
		document, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return documents, err
		}
		documents = append(documents, string(document))
	}
}

func TestDocuments(t *testing.T) {
	for name, test := range map[string]struct {
		in    string
		want  []string
		fails bool
	}{
		"nothing":        {in: ""},
		"YAML":           {in: "a: 1\n---\nb: 2\n", want: []string{`{"a":1}`, `{"b":2}`}},
		"comments":       {in: "# x\n---\n# y\n---\na: 1\n", want: []string{"null", "null", `{"a":1}`}},
		"JSON values":    {in: `{"a": 1}{"b": 2}` + "\n\n", want: []string{`{"a": 1}`, `{"b": 2}`}},
		"braces of YAML": {in: "{a: 1}\n---\n{b: 2}\n", want: []string{`{"a":1}`, `{"b":2}`}},
		"both":           {in: "---\n{\"a\": 1}\n---\nb: 2\n", want: []string{`{"a": 1}`, `{"b":2}`}},
		"JSON cut short": {in: `{"a": 1}{"b": `, want: []string{`{"a": 1}`}, fails: true},
		"no YAML":        {in: "a: [", fails: true},
		"a bomb":         {in: "a: 1\n---\na: &a " + strings.Repeat("x", 100<<10) + "\nb: [" + strings.Repeat("*a, ", 200) + "]\n", want: []string{`{"a":1}`}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readDocuments([]byte(test.in))
			if diff := cmp.Diff(test.want, got); diff != "" || (err != nil) != test.fails {
				t.Errorf("%v, %s", err, diff)
			}
		})
	}
}

// FuzzDocuments compares with the reader of kubectl, which has no bounds: what is
// read here is what that reads, as far as it goes.
func FuzzDocuments(f *testing.F) {
	for _, seed := range []string{"a: 1\n---\nb: 2\n", `{"a": 1}{"b": 2}`, "{a: 1}\n---\n{b: 2}", "a: &a [1]\nb: [*a, *a]\n", "---\n# x\n---\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		if len(stream) > 64<<10 {
			t.Skip()
		}
		ours, err := readDocuments(stream)
		if err != nil {
			return
		}
		decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(string(stream)), 4096)
		for n := 0; ; n++ {
			var theirs, same any
			err := decoder.Decode(&theirs)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil || n >= len(ours) {
				// It takes some streams of JSON and YAML for one of the two.
				return
			}
			if err := json.Unmarshal([]byte(ours[n]), &same); err != nil {
				t.Fatalf("document %d is no JSON: %v", n, err)
			}
			if diff := cmp.Diff(theirs, same); diff != "" {
				t.Errorf("document %d: %s", n, diff)
			}
		}
	})
}

func FuzzBounded(f *testing.F) {
	f.Add([]byte("a: &a [1, 2]\nb: *a\n"))
	f.Add([]byte("a: &a {x: 1}\nb: {<<: *a}\n"))
	f.Fuzz(func(t *testing.T, document []byte) {
		if err := Bounded(document); err != nil && !errors.Is(err, ErrTooMuch) {
			t.Error(err)
		}
	})
}
