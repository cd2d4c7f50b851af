// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"

func TestValidateManifests(t *testing.T) {
	for name, test := range map[string]struct {
		stream string
		want   string
	}{
		"one":                      {stream: configMap},
		"some":                     {stream: "# head\n---\n" + configMap + "---\n---\n# nothing\n--- # two\n" + configMap + "---\n"},
		"JSON":                     {stream: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}`},
		"JSON one after the other": {stream: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}`},
		"cut JSON":                 {stream: `{"apiVersion":"v1","kind":"hunter2`, want: "document 1 is no YAML"},
		"a list":                   {stream: "apiVersion: v1\nkind: List\nitems: []\n"},
		"nothing":                  {stream: "---\n# nothing\n", want: "at least one Kubernetes object"},
		"blank":                    {stream: " \n", want: "at least one Kubernetes object"},
		"no YAML":                  {stream: configMap + "---\na: b: hunter2\n", want: "document 2 is no YAML"},
		"tabs":                     {stream: "a:\n\t- hunter2\n", want: "document 1 is no YAML: line 2"},
		"a bad anchor":             {stream: "a: *hunter2\n", want: "document 1 is no YAML: it cannot be parsed"},
		"a bad number":             {stream: "a: !!int hunter2\n", want: "document 1 is no YAML"},
		"a text":                   {stream: "hunter2", want: "document 1 must be a Kubernetes object"},
		"a sequence":               {stream: "- hunter2", want: "document 1 must be a Kubernetes object"},
		"no apiVersion":            {stream: "kind: ConfigMap\nmetadata: {name: hunter2}\n", want: "document 1 must have a text at apiVersion"},
		"no kind":                  {stream: "apiVersion: v1\nmetadata: {name: hunter2}\n", want: "document 1 must have a text at kind"},
		"kind is a number":         {stream: "apiVersion: v1\nkind: 3\nmetadata: {name: hunter2}\n", want: "document 1 must have a text at kind"},
		"no name":                  {stream: "apiVersion: v1\nkind: Secret\ndata: {a: hunter2}\n", want: "document 1 must have a text at metadata.name"},
		"name is a number":         {stream: "apiVersion: v1\nkind: Secret\nmetadata: {name: 3}\n", want: "document 1 must have a text at metadata.name"},
		"a list of one":            {stream: "apiVersion: v1\nkind: AllowList\n", want: "document 1 must have a text at metadata.name"},
		"too large":                {stream: "#" + strings.Repeat("x", 256<<10), want: "may not be more than 262144"},
		"aliases that explode":     {stream: bomb(), want: "document 1 is no YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			errs := validateManifests(test.stream, field.NewPath("m"))
			if test.want == "" {
				expect(t, errs)
				return
			}
			expect(t, errs, "m: "+test.want)
			if all := errs.ToAggregate(); all != nil && strings.Contains(all.Error(), "hunter2") {
				t.Errorf("the message repeats the manifests: %v", all)
			}
		})
	}
}

func FuzzManifests(f *testing.F) {
	for _, seed := range []string{configMap, "---\n" + configMap + "---\n", "a: &x [*x]", "- {", "\xff\xfe", "? a\n: b", "kind: List\nitems: [1]\napiVersion: v1"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		if len(stream) > maxManifestsBytes {
			return
		}
		if err := checkManifests(stream); err != nil && len(err.Error()) > 2*maxParserText {
			t.Errorf("a message of %d bytes", len(err.Error()))
		}
	})
}

// bomb is a short document that grows without measure when its aliases are
// followed.
func bomb() string {
	var text strings.Builder
	text.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		before := "*a" + strconv.Itoa(i-1)
		text.WriteString("a" + strconv.Itoa(i) + ": &a" + strconv.Itoa(i) + " [" + strings.Repeat(before+", ", 8) + before + "]\n")
	}
	return text.String()
}
