// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"encoding/base64"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"

	"ksit.io/ksit/pkg/installer/helm/render"
)

// TestRenderErrorsTellNoValue has templates and schemas that quote what they
// cannot use: a value from a Secret, one whose key says that it is secret, and
// one that is long.
func TestRenderErrorsTellNoValue(t *testing.T) {
	renderer, err := render.New(render.Options{})
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]any{"plain": confidential{"hunter-2"}, "password": "pa55 w:rd", "long": "a-long-value: [of twelve]"}
	schema := func(rule string) files {
		return files{"values.schema.json": `{"properties": {"plain": ` + rule + `, "password": ` + rule + `, "long": ` + rule + `}}`}
	}
	template := func(text string) files { return files{"templates/a.yaml": text} }
	for key, value := range secrets {
		text, ok := value.(string)
		if !ok {
			text = value.(confidential).value.(string)
		}
		for name, content := range map[string]files{
			"fail":             template(`{{ fail .Values.KEY }}`),
			"fail in base64":   template(`{{ fail (.Values.plain | b64enc) }}`),
			"required":         template(`{{ required .Values.KEY .Values.none }}`),
			"tpl":              template(`{{ tpl (printf "{{ %s" .Values.KEY) . }}`),
			"tpl that fails":   template(`{{ tpl (printf "{{ fail %q }}" .Values.KEY) . }}`),
			"a duration":       template(`{{ mustDateModify .Values.KEY now }}`),
			"a pattern":        template(`{{ mustRegexMatch (printf "(%s" .Values.KEY) "x" }}`),
			"a field":          template(`{{ .Values.KEY.below.it }}`),
			"an index":         template(`{{ index .Values.KEY "x" }}`),
			"a template":       template(`{{ include .Values.KEY . }}`),
			"a URL":            template(`{{ urlParse (printf "http://%s:x" .Values.KEY) }}`),
			"a version":        template(`{{ semver .Values.KEY }}`),
			"YAML":             template("a: {{ .Values.KEY }}\n b: {{ .Values.KEY }}: x"),
			"a type":           schema(`{"type": "integer"}`),
			"a schema pattern": schema(`{"pattern": "^x$"}`),
			"a constant":       schema(`{"const": "x"}`),
			"a choice":         schema(`{"enum": ["x", "y"]}`),
			"a length":         schema(`{"maxLength": 1}`),
			"a format":         schema(`{"format": "ipv4"}`),
			"a format of URLs": schema(`{"format": "uri"}`),
			"none of these":    schema(`{"not": {"type": "string"}}`),
		} {
			for n := range content {
				content[n] = strings.ReplaceAll(content[n], "KEY", key)
			}
			_, err := renderer.Render(t.Context(), render.Request{
				Archive: packChart(t, "web", "1.0.0", content), Values: reveal(secrets), Capabilities: chartutil.DefaultCapabilities,
				Release: render.Release{Name: "web", Namespace: "shop", Revision: 1},
			})
			if err == nil {
				if !strings.Contains(name, "format") && !strings.Contains(name, "URL") && !strings.Contains(name, "version") {
					t.Errorf("%s of %s: it is rendered", name, key)
				}
				continue
			}
			got := classify(t.Context(), renderError(err), "rendering", newRedactor(secrets, "web", "shop")).Error()
			for _, tells := range []string{text, base64.StdEncoding.EncodeToString([]byte("hunter-2")), "pa55", "of twelve"} {
				if strings.Contains(got, tells) {
					t.Errorf("%s of %s tells %q: %s", name, key, tells, got)
				}
			}
		}
	}
}
