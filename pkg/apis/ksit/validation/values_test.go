// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
)

func TestParseValueKey(t *testing.T) {
	step := func(name string) valueStep { return valueStep{name: name} }
	index := func(i int) valueStep { return valueStep{index: i} }
	for key, want := range map[string][]valueStep{
		"a":                    {step("a")},
		"a.b.c":                {step("a"), step("b"), step("c")},
		"prometheus.retention": {step("prometheus"), step("retention")},
		`a.kubernetes\.io/x`:   {step("a"), step("kubernetes.io/x")},
		"a[0]":                 {step("a"), index(0)},
		"a[1].b[2][3]":         {step("a"), index(1), step("b"), index(2), index(3)},
		`a\[0\]`:               {step("a[0]")},
		`a\=b\,c\\`:            {step(`a=b,c\`)},
		"é.日本":                 {step("é"), step("日本")},
		"a,b":                  {step("a,b")},
		"a]b":                  {step("a]b")},
		"a b":                  {step("a b")},
	} {
		got, err := parseValueKey(key)
		if err != nil {
			t.Errorf("%s: %v", key, err)
		} else if diff := cmp.Diff(want, got, cmp.AllowUnexported(valueStep{})); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", key, diff)
		}
	}

	for key, want := range map[string]string{
		".":                             "must have a name",
		".a":                            "must have a name",
		"a.":                            "must have a name",
		"a..b":                          "must have a name",
		"[0]":                           "must have a name",
		"a[0].":                         "must have a name",
		"a[":                            "must have an index",
		"a[]":                           "must have an index",
		"a[-1]":                         "must have an index",
		"a[x]":                          "must have an index",
		"a[256]":                        "index from 0 to 255",
		"a[99999999999999999999]":       "must have an index",
		"a[0]b":                         "nothing after an index",
		"a\xff":                         "must be UTF-8",
		"a=b":                           "bare '='",
		`a\`:                            "character after its last",
		strings.Repeat("a.", 30) + "a":  "deeper than 30",
		"a" + strings.Repeat("[0]", 30): "deeper than 30",
	} {
		if _, err := parseValueKey(key); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", key, err, want)
		}
	}
}

func TestValidateValues(t *testing.T) {
	for name, test := range map[string]struct {
		config ksit.HelmConfig
		want   []string
	}{
		"none": {},
		"the brief's": {config: ksit.HelmConfig{Values: map[string]string{
			"prometheus.prometheusSpec.retention":                                                       "30d",
			"prometheus.prometheusSpec.storageSpec.volumeClaimTemplate.spec.resources.requests.storage": "50Gi",
			"grafana.enabled": "true",
		}}},
		"nested": {config: ksit.HelmConfig{
			Values:       map[string]string{"a.b": "1", "a.c": "2", "l[0].x": "1", "l[0].y": "2", "l[1].x": "3"},
			ValuesObject: raw(`{"a": {"b": [1, 2.5e300, "x", null, true]}}`),
		}},
		"empty key":           {config: ksit.HelmConfig{Values: map[string]string{"": "x"}}, want: []string{"h.values: must not be empty"}},
		"bad key":             {config: ksit.HelmConfig{Values: map[string]string{"a..b": "x"}}, want: []string{"h.values[a..b]: must have a name"}},
		"inside a value":      {config: ksit.HelmConfig{Values: map[string]string{"a": "x", "a.b": "y"}}, want: []string{`h.values[a.b]: goes into what key "a" gives a value to`}},
		"over a map":          {config: ksit.HelmConfig{Values: map[string]string{"a.b": "x", `\a`: "y"}}, want: []string{"h.values[a.b]: goes into what key"}},
		"same place":          {config: ksit.HelmConfig{Values: map[string]string{"ab": "x", `a\b`: "y"}}, want: []string{"h.values[ab]: gives a value to what key"}},
		"map and list":        {config: ksit.HelmConfig{Values: map[string]string{"a.b": "x", "a[0]": "y"}}, want: []string{"h.values[a[0]]: makes a list of what key"}},
		"list value":          {config: ksit.HelmConfig{Values: map[string]string{"a": "{x,y}", "b": "{}", "c": `{a\}}`}}},
		"braces":              {config: ksit.HelmConfig{Values: map[string]string{"d": "{x", "e": "{{x}}", "f": `{"a":1}`}}},
		"no text":             {config: ksit.HelmConfig{Values: map[string]string{"a": "\xff"}}, want: []string{"h.values[a]: must be UTF-8"}},
		"too many":            {config: ksit.HelmConfig{Values: manyValues(257)}, want: []string{"h.values: must have at most 256 items"}},
		"too large":           {config: ksit.HelmConfig{Values: map[string]string{"a": strings.Repeat("x", 256<<10)}}, want: []string{"h.values: must not be longer than 262144 bytes together"}},
		"too large together":  {config: ksit.HelmConfig{Values: map[string]string{"a": strings.Repeat("x", 100<<10)}, ValuesObject: raw(`{"a":"` + strings.Repeat("x", 160<<10) + `"}`)}, want: []string{"h.valuesObject: must not be longer"}},
		"object is a list":    {config: ksit.HelmConfig{ValuesObject: raw(`["hunter2"]`)}, want: []string{"h.valuesObject: must be one JSON object"}},
		"object is a text":    {config: ksit.HelmConfig{ValuesObject: raw(`"hunter2"`)}, want: []string{"h.valuesObject: must be one JSON object"}},
		"object is null":      {config: ksit.HelmConfig{ValuesObject: raw("null")}, want: []string{"h.valuesObject: must be one JSON object"}},
		"object is nothing":   {config: ksit.HelmConfig{ValuesObject: raw("")}, want: []string{"h.valuesObject: must be one whole JSON object"}},
		"object is cut":       {config: ksit.HelmConfig{ValuesObject: raw(`{"a": {"hunter2": 1}`)}, want: []string{"h.valuesObject: must be one whole JSON object"}},
		"two objects":         {config: ksit.HelmConfig{ValuesObject: raw(`{}{"hunter2":1}`)}, want: []string{"h.valuesObject: must be one JSON object"}},
		"no JSON":             {config: ksit.HelmConfig{ValuesObject: raw("hunter2: x")}, want: []string{"h.valuesObject: must be one whole JSON object"}},
		"protobuf":            {config: ksit.HelmConfig{ValuesObject: raw("k8s\x00\x0a\x02hunter2")}, want: []string{"h.valuesObject: must be one whole JSON object"}},
		"object at its depth": {config: ksit.HelmConfig{ValuesObject: raw(nested(30))}},
		"object too deep":     {config: ksit.HelmConfig{ValuesObject: raw(nested(31))}, want: []string{"h.valuesObject: must not nest deeper than 30"}},
	} {
		t.Run(name, func(t *testing.T) {
			errs := validateValues(&test.config, field.NewPath("h"))
			expect(t, errs, test.want...)
			if all := errs.ToAggregate(); all != nil && strings.Contains(all.Error(), "hunter2") {
				t.Errorf("the message repeats a value: %v", all)
			}
		})
	}
}

func FuzzValues(f *testing.F) {
	for _, seed := range []string{"a.b", `a\.b[3].c`, "a[0][1]", "a..", `\`, "[", "a[4294967296]", "{a}"} {
		f.Add(seed, seed, []byte(`{"a":[1,{"b":null}]}`))
	}
	f.Add("a.b", "a", []byte(`{"a":`))
	f.Fuzz(func(t *testing.T, key, other string, object []byte) {
		steps, err := parseValueKey(key)
		if err == nil {
			checkSteps(t, key, steps)
		}
		config := &ksit.HelmConfig{Values: map[string]string{key: other, other: key}, ValuesObject: raw(string(object))}
		if errs := validateValues(config, field.NewPath("h")); len(errs) > maxFaults+1 {
			t.Errorf("%d faults", len(errs))
		}
	})
}

// checkSteps checks what every accepted key must hold: it starts with a name,
// and written out again it leads to the same place.
func checkSteps(t *testing.T, key string, steps []valueStep) {
	t.Helper()
	if len(steps) == 0 || len(steps) > maxValuesDepth || steps[0].isIndex() {
		t.Fatalf("%q: got steps %v", key, steps)
	}
	again, err := parseValueKey(writeKey(steps))
	if err != nil {
		t.Fatalf("%q: written as %q: %v", key, writeKey(steps), err)
	}
	if diff := cmp.Diff(steps, again, cmp.AllowUnexported(valueStep{})); diff != "" {
		t.Fatalf("%q: (-first +again)\n%s", key, diff)
	}
}

func writeKey(steps []valueStep) string {
	escape := strings.NewReplacer(`\`, `\\`, ".", `\.`, "[", `\[`, "=", `\=`, ",", `\,`)
	var text strings.Builder
	for i, step := range steps {
		switch {
		case step.isIndex():
			text.WriteString("[" + strconv.Itoa(step.index) + "]")
		case i == 0:
			text.WriteString(escape.Replace(step.name))
		default:
			text.WriteString("." + escape.Replace(step.name))
		}
	}
	return text.String()
}

func manyValues(n int) map[string]string {
	values := map[string]string{}
	for _, name := range names(n) {
		values[name] = "x"
	}
	return values
}

func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth-1) + "{}" + strings.Repeat("}", depth-1)
}
