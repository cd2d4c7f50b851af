// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestHostileCharts(t *testing.T) {
	var fetched atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		_, _ = w.Write([]byte("{}"))
	}))
	defer elsewhere.Close()
	laughs := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for n := 1; n < 6; n++ {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", n, n, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", n-1), 10), ", "))
	}
	withSchema := func(schema string) map[string]string {
		content := template("x")
		content["values.schema.json"] = schema
		return content
	}
	for name, test := range map[string]struct {
		content map[string]string
		faults  []Fault
		says    string
	}{
		"a text without end":           {template(`{{ repeat 1000000000 "x" }}`), []Fault{FaultResources, FaultTemplate}, ""},
		"a list without end":           {template(`{{ until 1000000000 | len }}`), []Fault{FaultResources}, "MiB of memory"},
		"a sequence without end":       {template(`{{ range untilStep 0 2000000000 1 }}{{ end }}`), []Fault{FaultResources}, "MiB of memory"},
		"loops within loops":           {template(`{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`), []Fault{FaultResources}, "of a processor"},
		"keys":                         {template(`{{ range until 1000 }}{{ $_ := genPrivateKey "rsa" }}{{ end }}`), []Fault{FaultResources}, "of a processor"},
		"a large output":               {template(`{{ range until 30000 }}{{ repeat 1000 "x" }}{{ end }}`), []Fault{FaultSize, FaultResources}, ""},
		"a text that doubles":          {template(`{{ $s := "x" }}{{ range until 40 }}{{ $s = cat $s $s }}{{ end }}{{ $s }}`), []Fault{FaultResources}, "MiB of memory"},
		"a list that doubles":          {template(`{{ $l := list 1 }}{{ range until 40 }}{{ $l = concat $l $l }}{{ end }}`), []Fault{FaultResources}, "MiB of memory"},
		"include of itself":            {template(`{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`), []Fault{FaultTemplate, FaultResources}, ""},
		"template of itself":           {template(`{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`), []Fault{FaultTemplate, FaultResources}, ""},
		"tpl of itself":                {template(`{{ $_ := set .Values "t" "{{ tpl .Values.t . }}" }}{{ tpl .Values.t . }}`), []Fault{FaultTemplate, FaultResources}, ""},
		"includes that fan out":        {template(`{{ define "a" }}{{ range until 50 }}{{ include "b" . }}{{ end }}{{ end }}{{ define "b" }}{{ range until 50 }}{{ include "c" . }}{{ end }}{{ end }}{{ define "c" }}{{ range until 50 }}{{ include "d" . }}{{ end }}{{ end }}{{ define "d" }}{{ range until 5000 }}{{ end }}{{ end }}{{ include "a" . }}`), []Fault{FaultResources}, "of a processor"},
		"thousands of objects":         {map[string]string{"templates/m.yaml": "{{ range $n := until 5001 }}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a-{{ $n }}}\n{{ end }}"}, []Fault{FaultSize}, "more than 5000"},
		"YAML that laughs":             {map[string]string{"templates/l.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nl:\n  " + strings.ReplaceAll(laughs, "\n", "\n  ") + "x: [" + strings.TrimSuffix(strings.Repeat("*a5, ", 90), ", ") + "]\n"}, []Fault{FaultTemplate, FaultResources}, ""},
		"the environment":              {template(`{{ env "HOME" }}`), []Fault{FaultTemplate}, `"env" not defined`},
		"a panic":                      {template(`{{ index (list 1) 5 }}`), []Fault{FaultTemplate}, ""},
		"a schema elsewhere":           {withSchema(`{"$ref": "` + elsewhere.URL + `/s.json"}`), []Fault{FaultChart}, "not fetched"},
		"a schema in a file":           {withSchema(`{"properties": {"a": {"$ref": "file:///etc/passwd"}}}`), []Fault{FaultChart}, "not fetched"},
		"a schema relative to its id":  {withSchema(`{"$id": "` + elsewhere.URL + `/s.json", "$ref": "other.json"}`), []Fault{FaultChart}, "not fetched"},
		"a metaschema elsewhere":       {withSchema(`{"$schema": "` + elsewhere.URL + `/m.json"}`), []Fault{FaultChart}, "not fetched"},
		"a schema that is no JSON":     {withSchema(`{`), []Fault{FaultChart}, "not JSON"},
		"a schema that goes in rounds": {withSchema(`{"$ref": "#"}`), []Fault{FaultChart, FaultValues, FaultResources}, ""},
		"a schema that fans out":       {withSchema(fanOut(40)), []Fault{FaultResources}, "of a processor"},
		"a large pattern":              {withSchema(`{"properties": {"password": {"pattern": "((a{1,1000}){1,1000}){1,1000}"}}}`), []Fault{FaultChart, FaultResources}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, err := newRenderer(t).Render(t.Context(), request(t, test.content))
			var failure *Error
			if !errors.As(err, &failure) {
				t.Fatalf("it is rendered (%t), or no fault of the chart: %v", result != nil, err)
			}
			for _, fault := range test.faults {
				if failure.Fault == fault && strings.Contains(failure.Text, test.says) {
					return
				}
			}
			t.Errorf("%s: %.300s, want %s about %q", failure.Fault, failure.Text, test.faults, test.says)
		})
	}
	t.Cleanup(func() {
		if n := fetched.Load(); n != 0 {
			t.Errorf("%d schemas were fetched", n)
		}
	})
}

// fanOut is a schema in which each level applies the one below twice.
func fanOut(depth int) string {
	var levels []string
	for n := range depth {
		levels = append(levels, fmt.Sprintf(`"l%d": {"allOf": [{"$ref": "#/definitions/l%d"}, {"$ref": "#/definitions/l%d"}]}`, n, n+1, n+1))
	}
	levels = append(levels, fmt.Sprintf(`"l%d": {"type": "object"}`, depth))
	return `{"definitions": {` + strings.Join(levels, ", ") + `}, "$ref": "#/definitions/l0"}`
}

// TestHarmless has what a chart may ask for and gets nothing by.
func TestHarmless(t *testing.T) {
	t.Setenv("KSIT_SECRET", "topsecret")
	for text, want := range map[string]string{
		`{{ getHostByName "localhost" | quote }}`:            `""`,
		`{{ lookup "v1" "Secret" "kube-system" "x" | len }}`: "0",
		`{{ lookup "v1" "Secret" "" "" | len }}`:             "0",
		`{{ .Files.Get "/etc/passwd" | quote }}`:             `""`,
		`{{ .Files.Get "../../etc/passwd" | quote }}`:        `""`,
		`{{ .Files.Glob "/etc/*" | len }}`:                   "0",
		`{{ regexMatch "^(a+)+$" (repeat 100000 "a") }}`:     "true",
		`{{ typeOf .Values.n }} {{ typeOf .Values.f }}`:      "int64 float64",
		`{{ typeOf .Values.none }}`:                          "<nil>",
		`{{ .Release.Revision }} {{ .Release.IsInstall }}`:   "1 true",
		`{{ .Values.large }}`:                                "12345678901234567890",
		`{{ .Capabilities.KubeVersion.Version }}`:            "v1.",
		`{{ eq .Values.n 5 }}`:                               "true",
		`{{ .Values.list | toJson }}`:                        `["a",1,null,{}]`,
	} {
		r := request(t, template(text))
		r.Values = map[string]any{
			"n": int64(5), "f": 1.5, "none": nil, "large": "12345678901234567890", "list": []any{"a", int64(1), nil, map[string]any{}},
		}
		result, err := newRenderer(t).Render(t.Context(), r)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !strings.Contains(result.Manifest, "a: "+want) {
			t.Errorf("%s: %s", text, result.Manifest)
		}
	}
}

// TestEnds makes sure that nothing of a child is left when its context ends.
func TestEnds(t *testing.T) {
	before := children(t)
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	endless := request(t, template(`{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`))
	t.Run("its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(200*time.Millisecond, cancel)
		if _, err := r.Render(ctx, endless); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("its time", func(t *testing.T) {
		r, err := New(Options{Timeout: 300 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Render(t.Context(), endless)
		var failure *Error
		if !errors.As(err, &failure) || failure.Fault != FaultTime {
			t.Error(err)
		}
	})
	t.Run("no program", func(t *testing.T) {
		r, err := New(Options{Program: "/nowhere/ksit"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Render(t.Context(), endless); err == nil {
			t.Error("it is rendered")
		}
	})
	t.Run("a program that is another", func(t *testing.T) {
		r, err := New(Options{Program: "/bin/true"})
		if err != nil {
			t.Fatal(err)
		}
		var failure *Error
		if _, err := r.Render(t.Context(), endless); err == nil || errors.As(err, &failure) {
			t.Error(err)
		}
	})
	if after := children(t); after > before {
		t.Errorf("%d children before, %d after", before, after)
	}
}

// children counts those of this process.
func children(t *testing.T) int {
	t.Helper()
	// Each thread has those that it started.
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(lists) == 0 {
		t.Skip("no /proc to count children in")
	}
	count := 0
	for _, list := range lists {
		// A thread may have ended.
		content, _ := os.ReadFile(list)
		count += len(strings.Fields(string(content)))
	}
	return count
}

func TestLookup(t *testing.T) {
	var asked []Query
	answers := func(_ context.Context, q Query) (map[string]any, error) {
		asked = append(asked, q)
		switch {
		case q.Name == "broken":
			return nil, errors.New("topsecret")
		case q.Name == "none":
			return nil, nil
		case q.Name == "":
			return map[string]any{"apiVersion": "v1", "kind": "SecretList", "items": []any{map[string]any{"metadata": map[string]any{"name": "one"}}}}, nil
		}
		return map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": q.Name, "generation": int64(3)}, "data": map[string]any{"key": "topsecret"}}, nil
	}
	for text, want := range map[string]string{
		`{{ (lookup "v1" "Secret" "shop" "x").data.key }}`:                     "topsecret",
		`{{ typeOf (lookup "v1" "Secret" "shop" "x").metadata.generation }}`:   "int64",
		`{{ lookup "v1" "Secret" "shop" "none" | len }}`:                       "0",
		`{{ (index (lookup "v1" "Secret" "shop" "").items 0).metadata.name }}`: "one",
		`{{ (lookup "apps/v1" "Deployment" "" "x").metadata.name }}`:           "x",
	} {
		r := request(t, template(text))
		r.Lookup = answers
		result, err := newRenderer(t).Render(t.Context(), r)
		if err != nil || !strings.Contains(result.Manifest, "a: "+want) {
			t.Errorf("%s: %+v, %v", text, result, err)
		}
	}
	if len(asked) != 5 {
		t.Errorf("asked %v", asked)
	}
	for text, fault := range map[string]Fault{
		`{{ lookup "v1" "Secret" "shop" "broken" }}`:                                   FaultLookup,
		`{{ fail (lookup "v1" "Secret" "shop" "x").data.key }}`:                        FaultTemplate,
		`{{ range until 501 }}{{ $_ := lookup "v1" "Secret" "shop" "none" }}{{ end }}`: FaultTemplate,
	} {
		r := request(t, template(text))
		r.Lookup = answers
		_, err := newRenderer(t).Render(t.Context(), r)
		var failure *Error
		if !errors.As(err, &failure) || failure.Fault != fault || strings.Contains(failure.Text, "topsecret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
