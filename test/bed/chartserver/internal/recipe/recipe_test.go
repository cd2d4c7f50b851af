// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package recipe

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"sigs.k8s.io/yaml"
)

func TestNotation(t *testing.T) {
	types := map[string]any{"pair": map[string]any{"left!": "string", "right": "int32"}}
	for _, tc := range []struct {
		name, field, want string
	}{
		{"plain", `f: string`, `{"f":{"type":"string"}}`},
		{"described", `f: bool - Whether or not.`, `{"f":{"description":"Whether or not.","type":"boolean"}}`},
		{"list", `f: "[]int64"`, `{"f":{"items":{"format":"int64","type":"integer"},"type":"array"}}`},
		{"map", `f: map[string]string`, `{"f":{"additionalProperties":{"type":"string"},"type":"object"}}`},
		{"enum", `f: enum(|a|b)`, `{"f":{"enum":["","a","b"],"type":"string"}}`},
		{"own type", `f: $pair`, `{"f":{"properties":{"left":{"type":"string"},"right":{"format":"int32","type":"integer"}},"required":["left"],"type":"object"}}`},
		{"list of objects", "f[]:\n  g: string", `{"f":{"items":{"properties":{"g":{"type":"string"}},"type":"object"},"type":"array"}}`},
		{"map of objects", "f{}:\n  g: string", `{"f":{"additionalProperties":{"properties":{"g":{"type":"string"}},"type":"object"},"type":"object"}}`},
		{"anything", `f: any`, `{"f":{"x-kubernetes-preserve-unknown-fields":true}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := newShapes(types)
			if err != nil {
				t.Fatal(err)
			}
			var fields map[string]any
			if err := yaml.Unmarshal([]byte(tc.field), &fields); err != nil {
				t.Fatal(err)
			}
			object, err := s.object(fields)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(object["properties"])
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	for _, tc := range []struct {
		name, recipe, want string
	}{
		{"unknown kind", `recipe: Cake`, `unknown kind "Cake"`},
		{"unknown field", "recipe: Noise\nflour: 1", "flour"},
		{"unknown type", definitionOf(`f: strnig`), `unknown type "strnig"`},
		{"unknown own type", definitionOf(`f: $none`), "type $none is not among"},
		{"unknown Kubernetes type", definitionOf(`f: core.Podd`), `unknown Kubernetes type "core.Podd"`},
		{"type in itself", "recipe: CustomResourceDefinitions\ntypes: {a: {b: $a}}", "contains itself"},
		{"missing shared file", "recipe: CustomResourceDefinitions\nfrom: none.yaml", "none.yaml"},
		{"incomplete definition", "recipe: CustomResourceDefinitions\ndefinitions: [{kind: Thing}]", "are required"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Expand(fstest.MapFS{}, []byte(tc.recipe))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func definitionOf(field string) string {
	return `recipe: CustomResourceDefinitions
definitions:
- kind: Thing
  group: example.com
  plural: things
  versions: [{name: v1}]
  schema:
    spec:
      ` + field
}

func TestSharedTypesAndTemplates(t *testing.T) {
	fsys := fstest.MapFS{"shared/t.yaml": {Data: []byte("recipe: CustomResourceDefinitions\ntypes: {size: int32}")}}
	source := "guard: .Values.crds\nlabels: chart.labels\nannotations: chart.annotations\nfrom: shared/t.yaml\n" +
		definitionOf("f: $size - May hold {{ braces }}.")
	out, err := Expand(fsys, []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"{{- if .Values.crds }}", "{{- end }}", `{{- include "chart.labels" . | nindent 4 }}`,
		`{{- include "chart.annotations" . | nindent 4 }}`, `{{ "{{" }} braces }}`, "format: int32",
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestNativeTypes looks at a schema derived from a Go type: sizes are what
// the definitions of the charts are about.
func TestNativeTypes(t *testing.T) {
	out, err := Expand(fstest.MapFS{}, []byte(definitionOf("f: core.PodTemplateSpec")))
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(out, []byte("\n")); lines < 3000 {
		t.Errorf("the definition has %d lines", lines)
	}
	var object map[string]any
	if err := yaml.Unmarshal(out, &object); err != nil {
		t.Fatal(err)
	}
	again, err := Expand(fstest.MapFS{}, []byte(definitionOf("f: core.PodTemplateSpec")))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out, again) {
		t.Error("the same recipe gave two results")
	}
}

func TestNoise(t *testing.T) {
	one := noise(1000, 1)
	if len(one) != 1000 || !bytes.Equal(one, noise(1000, 1)) || bytes.Equal(one, noise(1000, 2)) {
		t.Error("noise must have the given length and depend on nothing but its seed")
	}
}
