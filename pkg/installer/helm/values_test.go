// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/strvals"
	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

func TestMergeValues(t *testing.T) {
	for name, test := range map[string]struct {
		object string
		values map[string]string
		want   string
	}{
		"nothing": {want: `{}`},
		"null":    {object: `null`, want: `{}`},
		"the brief": {
			values: map[string]string{
				"prometheus.prometheusSpec.retention": "30d",
				"grafana.enabled":                     "true",
				"a.resources.requests.storage":        "50Gi",
			},
			want: `{"prometheus":{"prometheusSpec":{"retention":"30d"}},"grafana":{"enabled":true},"a":{"resources":{"requests":{"storage":"50Gi"}}}}`,
		},
		"types": {
			values: map[string]string{"a": "1", "b": "null", "c": "false", "d": "0123", "e": "1.5", "f": "", "g": `\true`, "h": "0"},
			want:   `{"a":1,"b":null,"c":false,"d":"0123","e":"1.5","f":"","g":true,"h":0}`,
		},
		"precedence": {
			object: `{"a":{"b":1,"c":2},"l":[1,2]}`,
			values: map[string]string{"a.b": "x", "l[1]": "y"},
			want:   `{"a":{"b":"x","c":2},"l":[1,"y"]}`,
		},
		"large numbers": {object: `{"n":12345678901234567890,"f":1.50}`, want: `{"n":12345678901234567890,"f":1.50}`},
		"commas": {
			values: map[string]string{"a": "x,y", "b": "x,c=z", "c": `x\,y`, "d": "x,", "e": ",", "n,m": "z"},
			want:   `{"a":"x,y","b":"x,c=z","c":"x,y","d":"x,","e":",","n,m":"z"}`,
		},
		"braces": {
			values: map[string]string{"a": "{x,y}", "b": "{1,true}", "c": "{x},b=y", "d": "{x", "e": "{}", "f": `{a\,b}`, "g": "a{x,y}", "h": `{"k":{"v":1}}`},
			want:   `{"a":["x","y"],"b":[1,true],"c":"{x},b=y","d":"{x","e":[""],"f":["a,b"],"g":"a{x,y}","h":"{\"k\":{\"v\":1}}"}`,
		},
		"escapes": {
			values: map[string]string{`a\.b`: "c", `nodeSelector.kubernetes\.io/os`: "linux", `e\=f`: "g=h"},
			want:   `{"a.b":"c","nodeSelector":{"kubernetes.io/os":"linux"},"e=f":"g=h"}`,
		},
		"order of keys": {
			values: map[string]string{"a": "null", "a.b": "x"},
			want:   "",
		},
		"through a scalar": {object: `{"a":1}`, values: map[string]string{"a.b": "x"}},
		"no object":        {object: `[1]`},
		"two objects":      {object: `{} {}`},
		"an equals sign":   {values: map[string]string{"a=b": "c"}},
		"an empty key":     {values: map[string]string{"": "c"}},
		"a dot at the end": {values: map[string]string{"a.": "c"}},
		"a large index":    {values: map[string]string{"a[60000]": "c"}},
		"a huge index":     {values: map[string]string{"a[99999999999999999999]": "c"}},
		"a negative index": {values: map[string]string{"a[-1]": "c"}},
		"nested too deep":  {values: map[string]string{strings.Repeat("a.", 40) + "b": "c"}},
		"not UTF-8":        {values: map[string]string{"a": "\xff"}},
	} {
		t.Run(name, func(t *testing.T) {
			config := &v1alpha1.HelmConfig{Values: test.values}
			if test.object != "" {
				config.ValuesObject = &runtime.RawExtension{Raw: []byte(test.object)}
			}
			got, err := mergeValues(config, nil)
			if test.want == "" {
				if installer.ReasonOf(err) != installer.ReasonValuesInvalid || !installer.IsTerminal(err) {
					t.Fatalf("got %v, error %v", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decode(t, test.want), decode(t, string(encoded))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func decode(t *testing.T, s string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSameValues(t *testing.T) {
	for _, test := range []struct {
		a, b map[string]any
		want bool
	}{
		{nil, map[string]any{}, true},
		{map[string]any{"a": int64(1)}, map[string]any{"a": float64(1)}, true},
		{map[string]any{"a": json.Number("1.0")}, map[string]any{"a": float64(1)}, true},
		{map[string]any{"a": nil}, map[string]any{}, false},
		{map[string]any{"a": "1"}, map[string]any{"a": 1}, false},
		{map[string]any{"a": func() {}}, map[string]any{"a": 1}, false},
	} {
		if got := sameValues(test.a, test.b); got != test.want {
			t.Errorf("sameValues(%v, %v) = %t", test.a, test.b, got)
		}
	}
}

func TestDigest(t *testing.T) {
	base, err := digest("a", "1", map[string]any{"x": 1, "y": 2}, v1alpha1.CRDPolicyCreate)
	if err != nil {
		t.Fatal(err)
	}
	same, _ := digest("a", "1", map[string]any{"y": int64(2), "x": float64(1)}, v1alpha1.CRDPolicyCreate)
	if base != same {
		t.Error("the order or type of values changes the digest")
	}
	seen := map[string]bool{base: true}
	for _, d := range []func() (string, error){
		func() (string, error) {
			return digest("b", "1", map[string]any{"x": 1, "y": 2}, v1alpha1.CRDPolicyCreate)
		},
		func() (string, error) {
			return digest("a", "2", map[string]any{"x": 1, "y": 2}, v1alpha1.CRDPolicyCreate)
		},
		func() (string, error) { return digest("a", "1", map[string]any{"x": 1}, v1alpha1.CRDPolicyCreate) },
		func() (string, error) {
			return digest("a", "1", map[string]any{"x": 1, "y": 2}, v1alpha1.CRDPolicySkip)
		},
		func() (string, error) {
			return digest("a1", "", map[string]any{"x": 1, "y": 2}, v1alpha1.CRDPolicyCreate)
		},
	} {
		got, err := d()
		if err != nil || seen[got] {
			t.Errorf("digest %s, %v", got, err)
		}
		seen[got] = true
	}
}

// FuzzSetValue makes sure that one entry is one assignment: what is not a list
// comes back as strvals reads it with every comma escaped, and nothing else is
// set.
func FuzzSetValue(f *testing.F) {
	for _, s := range [][2]string{{"a", "b"}, {"a.b", "x,y"}, {"a[0]", "{x,y}"}, {`a\.b`, `\`}, {"a", "{x}y,b=1"}, {"a,b", "=,"}, {"a[0].b[1]", ""}, {"a", "{"}, {"a.", ","}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		into := map[string]any{}
		if err := setValue(into, key, value); err != nil {
			if value != "" && len(value) > 8 && strings.Contains(err.Error(), value) && !strings.Contains(key, value) {
				t.Errorf("the error tells the value: %v", err)
			}
			return
		}
		if len(into) > 1 {
			t.Fatalf("%q=%q sets %v", key, value, into)
		}
		if _, err := canonical(into); err != nil {
			t.Fatalf("%q=%q: %v", key, value, err)
		}
		if !strings.ContainsAny(key, `,.\[]{}=`) && !strings.ContainsAny(value, `\{}`) {
			want := map[string]any{}
			if err := strvals.ParseInto(key+"="+strings.ReplaceAll(value, ",", `\,`), want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(into)); diff != "" {
				t.Error(diff)
			}
		}
	})
}
