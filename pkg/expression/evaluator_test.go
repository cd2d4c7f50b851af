// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func facts() Facts {
	return Facts{
		Target: Target{
			Name: "prod-eu-1", ClusterName: "eu-1", Namespace: "team",
			Labels:      map[string]string{"region": "eu-west-1", "ksit.io/tier": "gold", "size": "3"},
			Annotations: map[string]string{"note": "a,b,c", "large": strings.Repeat("x", MaxFact+1), "long": strings.Repeat("a", MaxFact)},
		},
		Integration: Integration{Name: "metrics", Namespace: "team"},
	}
}

func evaluator(t testing.TB) *Evaluator {
	t.Helper()
	e, err := New(facts())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestExpand(t *testing.T) {
	for text, want := range map[string]any{
		"":                                                           "",
		"plain $ {text} $$":                                          "plain $ {text} $$",
		"${target.name}":                                             "prod-eu-1",
		"${target.clusterName}":                                      "eu-1",
		"${target.namespace}":                                        "team",
		"${integration.name}":                                        "metrics",
		"${integration.namespace}":                                   "team",
		"a-${target.name}-b":                                         "a-prod-eu-1-b",
		"${target.name}${target.name}":                               "prod-eu-1prod-eu-1",
		" ${target.name}":                                            " prod-eu-1",
		"${ target.labels.region }":                                  "eu-west-1",
		`${target.labels["ksit.io/tier"]}`:                           "gold",
		`${target.labels[?"x"].orValue("none")}`:                     "none",
		`${target.labels[?"region"].orValue("none")}`:                "eu-west-1",
		`${target.labels.?x.orValue("none")}`:                        "none",
		`${"x" in target.labels ? target.labels.x : "none"}`:         "none",
		`${has(target.labels.region) && !has(target.labels.x)}`:      true,
		`${int(target.labels.size) * 2}`:                             json.Number("6"),
		`${1.5}`:                                                     json.Number("1.5"),
		`${3u}`:                                                      json.Number("3"),
		`${target.name == "prod-eu-1"}`:                              true,
		`${null}`:                                                    nil,
		`${[1, "a", {"k": target.name}]}`:                            []any{json.Number("1"), "a", map[string]any{"k": "prod-eu-1"}},
		`${{"a": {"b": true}}}`:                                      map[string]any{"a": map[string]any{"b": true}},
		`${target.annotations.note.split(",")}`:                      []any{"a", "b", "c"},
		`${target.annotations.note.split(",").join("-")}`:            "a-b-c",
		`${target.name.replace("-", "_").upperAscii()}`:              "PROD_EU_1",
		`${target.name.substring(0, target.name.indexOf("-"))}`:      "prod",
		`${target.name.substring(target.name.lastIndexOf("-") + 1)}`: "1",
		`${" é ".trim() + "É".lowerAscii() + string("né".indexOf("é"))}`: "éÉ1",
		`${["a", "b"].join()}`:                  "ab",
		`n=${1 + 1} b=${true} d=${2.0} u=${1u}`: "n=2 b=true d=2 u=1",
		"$${target.name}":                       "${target.name}",
		"$$${x}":                                "$${x}",
		`${"$"}${target.name}`:                  "$prod-eu-1",
		"$${a} ${target.name}":                  "${a} prod-eu-1",
		`${"}"}`:                                "}",
		`${'"}' + "'}"}`:                        `"}'}`,
		`${"\"}"}`:                              `"}`,
		`${r"\"}`:                               `\`,
		`${"""a"}b"""}`:                         `a"}b`,
		"${target.name // a } in a comment\n}":  "prod-eu-1",
		`${"//"}`:                               "//",
		`${{"a": 1}.size()}!`:                   "1!",
		`${"large" in target.annotations}`:      false,
	} {
		t.Run(text, func(t *testing.T) {
			got, err := evaluator(t).Expand(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if err := evaluator(t).Check(text); err != nil {
				t.Errorf("it can be expanded, but the check says: %v", err)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		// want are parts of the error, public the whole of what may be told of a
		// secret text.
		want   []string
		public string
		// onlyHere is true where only these facts make it an error.
		onlyHere bool
	}{
		"not closed":            {text: `é ${target.name`, want: []string{"$${"}, public: "the expression at character 3 is not closed: a } is missing, or write $${ for a literal ${"},
		"not closed in string":  {text: `${"}`, public: "the expression at character 1 is not closed: a } is missing, or write $${ for a literal ${"},
		"not closed in comment": {text: `${1 // }`, public: "the expression at character 1 is not closed: a } is missing, or write $${ for a literal ${"},
		"empty":                 {text: `${ }`, public: "the expression at character 1 is empty"},
		"too long":              {text: `${"` + strings.Repeat("x", MaxLength) + `"}`, public: "the expression at character 1 is longer than 2048 bytes"},
		"no expression":         {text: `${hunter2 hunter2}`, want: []string{"hunter2"}, public: "the expression at character 1 is not valid"},
		"misspelt variable":     {text: `${target.nme}`, want: []string{"target.name, target.clusterName"}, public: "the expression at character 1 is not valid"},
		"wrong types":           {text: `${target.name + 1}`, want: []string{"at its character 13", "no matching overload"}, public: "the expression at character 1 is not valid"},
		"regular expression":    {text: `${target.name.matches("((a{100}){100}){100}")}`, want: []string{"undeclared reference to 'matches'"}, public: "the expression at character 1 is not valid"},
		"loop":                  {text: `${[1,2].map(a, [a, a])}`, public: "the expression at character 1 is not valid"},
		"binding":               {text: `${optional.of(1).optMap(a, [a, a])}`, public: "the expression at character 1 is not valid"},
		"missing label": {
			text: `x ${target.labels.zone}`, onlyHere: true,
			want:   []string{`have: "zone"`, "prod-eu-1", `target.labels[?"zone"].orValue("...")`},
			public: "the expression at character 3 asks for a label that the target does not have",
		},
		"missing label by index": {
			text: `${target.labels["a/b"]}`, onlyHere: true, want: []string{`target.labels[?"a/b"].orValue`},
			public: "the expression at character 1 asks for a label that the target does not have",
		},
		"missing label by computed key": {
			text: `${target.labels["a/" + target.name]}`, onlyHere: true, want: []string{`"a/prod-eu-1"`},
			public: "the expression at character 1 asks for a label that the target does not have",
		},
		"missing annotation": {
			text: `${target.labels.region + target.annotations.owner}`, onlyHere: true, want: []string{`target.annotations[?"owner"]`},
			public: "the expression at character 1 asks for an annotation that the target does not have",
		},
		"missing key of a map":  {text: `${{"a": 1}["b" + ""]}`, onlyHere: true, want: []string{"b"}, public: "the expression at character 1 asks for a key that is not there"},
		"no number":             {text: `${int(target.name)}`, onlyHere: true, public: "the expression at character 1 fails"},
		"substring":             {text: `${target.name.substring(7, 3)}`, onlyHere: true, public: "the expression at character 1 fails"},
		"optional":              {text: `${target.labels[?"x"]}`, onlyHere: true, public: `the expression at character 1 gives an optional value: end it with .orValue("...")`},
		"list in a text":        {text: `a${[1]}`, onlyHere: true, public: "the expression at character 2 gives a list, which cannot be part of a text: make it the whole text"},
		"null in a text":        {text: `a${null}`, onlyHere: true, public: "the expression at character 2 gives null, which cannot be part of a text: make it the whole text"},
		"not finite":            {text: `${1.0 / 0.0}`, onlyHere: true, public: "the expression at character 1 gives a number that is not finite"},
		"bytes":                 {text: `${b"a"}`, onlyHere: true, public: "the expression at character 1 gives a value of type bytes: make a text of it with string()"},
		"key that is no string": {text: `${{1: 2}}`, onlyHere: true, public: "the expression at character 1 gives a map with a key that is no string"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evaluator(t).Expand(test.text)
			var failure *Error
			if !errors.As(err, &failure) {
				t.Fatalf("got %v", err)
			}
			if got := failure.Public(); got != test.public {
				t.Errorf("public: %s\n  want: %s", got, test.public)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in %s", part, err)
				}
			}
			if len(err.Error()) > 1024 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			if checked := evaluator(t).Check(test.text); (checked == nil) != test.onlyHere {
				t.Errorf("the check says %v", checked)
			}
		})
	}
}

func TestGrowthIsBounded(t *testing.T) {
	long := "target.annotations.long"
	for name, text := range map[string]string{
		"replace":           "${" + long + `.replace("a", ` + long + `)}`,
		"replace nothing":   "${" + long + `.replace("", ` + long + `)}`,
		"chained replace":   `${"aa"` + strings.Repeat(`.replace("a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")`, 30) + "}",
		"join":              "${" + long + `.split("").join(` + long + `)}`,
		"join of many":      "${[" + strings.Repeat(long+",", 50) + `].join("")}`,
		"result":            "${" + long + strings.Repeat("+"+long, 30) + "}",
		"result of a list":  "${[" + strings.Repeat("target.annotations,", 50) + "]}",
		"function of a sum": "${(" + long + strings.Repeat("+"+long, 30) + ").indexOf('b')}",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := evaluator(t).Expand(text)
			if err == nil {
				t.Fatalf("got a value of %d bytes", len(fmt.Sprint(got)))
			}
		})
	}
}

func TestBoundsOfADocument(t *testing.T) {
	e := evaluator(t)
	for range MaxExpressions {
		if _, err := e.Expand("${target.name}"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Expand("${target.name}"); err == nil || !strings.Contains(err.Error(), "there may be 1000") {
		t.Errorf("expression %d: %v", MaxExpressions+1, err)
	}
	if got, err := e.Expand("plain"); err != nil || got != "plain" {
		t.Errorf("a text without expressions is not counted: %v, %v", got, err)
	}

	e = evaluator(t)
	sum := "${target.annotations.long" + strings.Repeat("+target.annotations.long", 14) + "}"
	var err error
	n := 0
	for ; err == nil && n < MaxExpressions; n++ {
		_, err = e.Expand(sum)
	}
	if err == nil || n > MaxOutput/(15*MaxFact)+1 {
		t.Errorf("after %d results of %d bytes: %v", n, 15*MaxFact, err)
	}
}

// FuzzExpand makes sure that no text brings the evaluator down, that what may
// be told of a secret text holds nothing of it, and that a text without an
// opening stays as it is.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"", "$", "${", "$${", "${}", `${"}`, `${r'\'}`, `${"""}`, "a${target.name}b", `${target.labels[?"x"].orValue("y")}`, "${{'a':[1,2.0,null]}}", "${1//\n}", "\xff${'\xff'}"} {
		f.Add(s)
	}
	e := evaluator(f)
	f.Fuzz(func(t *testing.T, text string) {
		e.expressions, e.output = 0, 0
		clear(e.programs)
		got, err := e.Expand(text)
		if err != nil {
			var failure *Error
			if !errors.As(err, &failure) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if !strings.Contains(text, opening) {
			if got != text {
				t.Errorf("%q became %q", text, got)
			}
			return
		}
		if _, err := json.Marshal(got); err != nil {
			t.Errorf("%q became what is no JSON: %v", text, err)
		}
		if s, ok := got.(string); ok && utf8.ValidString(text) && !utf8.ValidString(s) {
			t.Errorf("%q became what is not UTF-8: %q", text, s)
		}
	})
}
