// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	helmvalues "helm.sh/helm/v3/pkg/cli/values"
	"helm.sh/helm/v3/pkg/getter"
	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

func fromConfigMap(content string) installer.Values {
	return installer.Values{Origin: "ConfigMap team/a, key values.yaml", Content: []byte(content)}
}

func fromSecretAt(content, path string) installer.Values {
	return installer.Values{Origin: "Secret team/b, key values.yaml", Content: []byte(content), TargetPath: path, Secret: true}
}

func TestMergeSources(t *testing.T) {
	for name, test := range map[string]struct {
		from   []installer.Values
		object string
		values map[string]string
		// want are the values that the chart gets, shown those that people see.
		want, shown string
	}{
		"nothing": {from: []installer.Values{fromConfigMap(""), fromSecretAt("# nothing", "")}, want: "{}", shown: "{}\n"},
		"later ones override earlier ones, key by key": {
			from: []installer.Values{fromConfigMap("a: {b: 1, c: 2}\nl: [1, 2]"), fromConfigMap("a: {c: 3, d: 4}\nl: [3]")},
			want: `{"a":{"b":1,"c":3,"d":4},"l":[3]}`, shown: "a:\n  b: 1\n  c: 3\n  d: 4\nl:\n- 3\n",
		},
		"valuesObject overrides sources, and values override both": {
			from:   []installer.Values{fromConfigMap("a: {b: source, c: source, d: source}")},
			object: `{"a":{"c":"object","d":"object"}}`, values: map[string]string{"a.d": "values"},
			want: `{"a":{"b":"source","c":"object","d":"values"}}`, shown: "a:\n  b: source\n  c: object\n  d: values\n",
		},
		"null is kept, to take a default of the chart away": {
			from: []installer.Values{fromConfigMap("a: {b: 1}"), fromConfigMap("a: null")},
			want: `{"a":null}`, shown: "a: null\n",
		},
		"a map takes the place of what is none, and the reverse": {
			from: []installer.Values{fromConfigMap("a: 1\nb: {c: 1}"), fromConfigMap("a: {b: 2}\nb: 3")},
			want: `{"a":{"b":2},"b":3}`, shown: "a:\n  b: 2\nb: 3\n",
		},
		"a text at a path": {
			from: []installer.Values{fromConfigMap("tls: {enabled: true}\nhosts: [{name: x}]"),
				{Origin: "x", Content: []byte("{a,b}=\n1,2\n"), TargetPath: "tls.cert"},
				{Origin: "x", Content: []byte("true"), TargetPath: `hosts[1].kubernetes\.io/x`}},
			want:  `{"tls":{"enabled":true,"cert":"{a,b}=\n1,2\n"},"hosts":[{"name":"x"},{"kubernetes.io/x":"true"}]}`,
			shown: "hosts:\n- name: x\n- kubernetes.io/x: \"true\"\ntls:\n  cert: |\n    {a,b}=\n    1,2\n  enabled: true\n",
		},
		"what comes from a Secret is not shown, whatever its type": {
			from: []installer.Values{fromSecretAt("a: s3cret\nb: {c: 5, d: true, e: null}\nf: [x, {g: z}]\nh: {}", ""), fromSecretAt("s3cret", "i.j")},
			want: `{"a":"s3cret","b":{"c":5,"d":true,"e":null},"f":["x",{"g":"z"}],"h":{},"i":{"j":"s3cret"}}`,
			shown: "a: <redacted>\nb:\n  c: <redacted>\n  d: <redacted>\n  e: <redacted>\nf:\n- <redacted>\n- g: <redacted>\nh: {}\n" +
				"i:\n  j: <redacted>\n",
		},
		"what overrides a Secret is shown": {
			from:   []installer.Values{fromSecretAt("a: {b: s3cret, c: s3cret}\nl: [s3cret, s3cret]", ""), fromConfigMap("a: {b: plain}")},
			values: map[string]string{"l[0]": "plain"},
			want:   `{"a":{"b":"plain","c":"s3cret"},"l":["plain","s3cret"]}`, shown: "a:\n  b: plain\n  c: <redacted>\nl:\n- plain\n- <redacted>\n",
		},
		"a Secret hides what it overrides": {
			from: []installer.Values{fromConfigMap("a: plain"), fromSecretAt("a: s3cret", "")},
			want: `{"a":"s3cret"}`, shown: "a: <redacted>\n",
		},
		"large numbers stay as they are": {
			from: []installer.Values{fromConfigMap("big: 12345678901234567\nf: 1e3")},
			want: `{"big":12345678901234567,"f":1000}`, shown: "big: 12345678901234567\nf: 1000\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := &v1alpha1.HelmConfig{Values: test.values}
			if test.object != "" {
				config.ValuesObject = &runtime.RawExtension{Raw: []byte(test.object)}
			}
			merged, err := mergeValues(config, test.from)
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := json.Marshal(reveal(merged))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decode(t, test.want), decode(t, string(encoded))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.shown, show(merged)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefusedSources(t *testing.T) {
	for name, test := range map[string]struct {
		source installer.Values
		want   string
	}{
		"no YAML":           {fromSecretAt("hunter2: [", ""), "the values of Secret team/b, key values.yaml: it is not YAML: line 1"},
		"a list":            {fromSecretAt("[hunter2]", ""), "they are no map: give targetPath"},
		"a text":            {fromSecretAt("hunter2", ""), "they are no map: give targetPath"},
		"two documents":     {fromSecretAt("a: hunter2\n---\nb: hunter2", ""), "more than one YAML document"},
		"through a text":    {fromSecretAt("hunter2", "plain.x"), `targetPath "plain.x": it cannot be set`},
		"through a Secret":  {fromSecretAt("hunter2", "secret.x"), `targetPath "secret.x": it cannot be set`},
		"a bad path":        {fromSecretAt("hunter2", "a=b"), `targetPath "a=b": the key has an =`},
		"a huge index":      {fromSecretAt("hunter2", "a[99999]"), "larger than 1024"},
		"text not in UTF-8": {fromSecretAt("hunter2\xff", "a"), "not valid UTF-8"},
		"a bomb":            {fromConfigMap("a: &a " + strings.Repeat("x", 100_000) + "\nb: [" + strings.Repeat("*a,", 10_000) + "]"), "aliases expanded"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mergeValues(&v1alpha1.HelmConfig{}, []installer.Values{fromConfigMap("plain: x"), fromSecretAt("secret: hunter2", ""), test.source})
			wantReason(t, err, installer.ReasonValuesInvalid, true, test.want)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

// TestMergeIsThatOfHelm compares with what helm -f merges.
func TestMergeIsThatOfHelm(t *testing.T) {
	documents := []string{
		"a: {b: 1, c: [1, 2], d: {e: x}}\nf: yes\ng: ~\nbase: &base {x: 1}\nuse: {<<: *base, y: 2}",
		"a: {c: [3], d: null}\nf: {h: 1}\n1: one",
		"a: {d: {e: y}}\nf: null\nuse: {x: 3}",
	}
	var from []installer.Values
	var files []string
	for n, document := range documents {
		from = append(from, fromConfigMap(document))
		file := filepath.Join(t.TempDir(), "values.yaml")
		if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
			t.Fatal(n, err)
		}
		files = append(files, file)
	}
	want, err := (&helmvalues.Options{ValueFiles: files}).MergeValues(getter.Providers{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := mergeValues(&v1alpha1.HelmConfig{}, from)
	if err != nil {
		t.Fatal(err)
	}
	if !sameValues(want, reveal(got)) {
		t.Errorf("helm merges %v, KSIT %v", want, got)
	}
}

func TestShowIsBounded(t *testing.T) {
	many := map[string]any{}
	for n := range 2000 {
		many["key"+strings.Repeat("x", n%7)+string(rune('a'+n%26))+strings.Repeat("y", n/26)] = "é"
	}
	for name, in := range map[string]map[string]any{
		"many keys": many,
		"one line":  {"a": strings.Repeat("é", v1alpha1.MaxStatusValues)},
	} {
		t.Run(name, func(t *testing.T) {
			got := show(in)
			if len(got) > v1alpha1.MaxStatusValues || !strings.HasSuffix(got, " more lines are not shown\n") || strings.ToValidUTF8(got, "") != got {
				t.Errorf("%d bytes, ending %q", len(got), got[max(0, len(got)-64):])
			}
		})
	}
}

func TestConcealAlike(t *testing.T) {
	marked, err := mergeValues(&v1alpha1.HelmConfig{}, []installer.Values{
		fromConfigMap("a: {plain: x}\nl: [x]"), fromSecretAt("a: {secret: new, map: new}\ng: [new, {h: new}]\nodd: {x: new}", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	older := map[string]any{
		"a":       map[string]any{"plain": "old", "secret": "old", "map": map[string]any{"x": "old"}},
		"g":       []any{"old", map[string]any{"h": "old"}, "beyond"},
		"l":       []any{"old"},
		"odd":     "old",
		"unknown": "old",
	}
	got, _ := concealAlike(older, marked).(map[string]any)
	want := "a:\n  map:\n    x: <redacted>\n  plain: old\n  secret: <redacted>\ng:\n- <redacted>\n- h: <redacted>\n- beyond\nl:\n- old\nodd: old\nunknown: old\n"
	if diff := cmp.Diff(want, show(got)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("old", older["a"].(map[string]any)["secret"]); diff != "" {
		t.Errorf("the values given are changed: %s", diff)
	}
}
