// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ksit.io/ksit/pkg/installer"
)

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		in   string
		want []string
		// err is part of the error, reason its reason.
		err    string
		reason installer.Reason
	}{
		"YAML documents": {
			in:   "# a comment\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n---\n# another\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: b, namespace: c}\n",
			want: []string{"ConfigMap a", "Secret c/b"},
		},
		"JSON stream": {
			in:   `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}} {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}`,
			want: []string{"ConfigMap a", "ConfigMap b"},
		},
		"List": {
			in:   "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- {apiVersion: v1, kind: ConfigMapList, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}]}\n",
			want: []string{"ConfigMap a", "ConfigMap b"},
		},
		"kind that ends in List": {
			in:   "{apiVersion: example.com/v1, kind: AllowList, metadata: {name: a}, spec: {items: []}}",
			want: []string{"AllowList a"},
		},
		"Windows line ends": {
			in:   "apiVersion: v1\r\nkind: ConfigMap\r\nmetadata: {name: a}\r\n---\r\napiVersion: v1\r\nkind: ConfigMap\r\nmetadata: {name: b}\r\n",
			want: []string{"ConfigMap a", "ConfigMap b"},
		},
		"null namespace": {in: "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: null}}", want: []string{"ConfigMap a"}},
		"empty":          {in: "", err: "no objects"},
		"comments only":  {in: "# nothing\n---\n# at all\n", err: "no objects"},
		"empty List":     {in: "{apiVersion: v1, kind: List, items: []}", err: "no objects"},
		"JSON and YAML in one stream": {
			in:   `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}` + "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\n" + `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}`,
			want: []string{"ConfigMap a", "ConfigMap b", "ConfigMap c"},
		},
		"aliases": {
			in:   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: &l {x: z}, annotations: *l}\n",
			want: []string{"ConfigMap a"},
		},
		"aliases that explode": {
			in:  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: &a " + strings.Repeat("topsecret", 20<<10) + "\n  b: [" + strings.Repeat("*a, ", 1000) + "]\n",
			err: "document 1: it is larger than 4 MiB with its aliases expanded",
		},
		"aliases that explode after JSON": {
			in:  `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}` + "\nb: &a " + strings.Repeat("topsecret", 20<<10) + "\nc: [" + strings.Repeat("*a, ", 1000) + "]\n",
			err: "document 2 is not YAML or JSON",
		},
		"deep nesting":     {in: "a: " + strings.Repeat("[", 20000), err: "document 1"},
		"deep JSON":        {in: strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000), err: "document 1"},
		"not YAML":         {in: "# one\n---\na: [topsecret\n", err: "document 2 is not YAML or JSON"},
		"text":             {in: "topsecret", err: "document 1: not an object"},
		"list":             {in: "- topsecret", err: "document 1: not an object"},
		"HTML":             {in: "<!DOCTYPE html><html>topsecret</html>", err: "document 1"},
		"no kind":          {in: "{apiVersion: v1, metadata: {name: a}}", err: "apiVersion or kind is missing"},
		"no apiVersion":    {in: "{kind: ConfigMap, metadata: {name: a}}", err: "apiVersion or kind is missing"},
		"kind a number":    {in: "{apiVersion: v1, kind: 7, metadata: {name: a}}", err: "apiVersion or kind is missing"},
		"bad apiVersion":   {in: "{apiVersion: a/b/c, kind: X, metadata: {name: a}}", err: "apiVersion"},
		"no metadata":      {in: "{apiVersion: v1, kind: ConfigMap}", err: "ConfigMap: metadata is missing"},
		"no name":          {in: "{apiVersion: v1, kind: ConfigMap, metadata: {}}", err: "ConfigMap: metadata.name is missing"},
		"name a number":    {in: "{apiVersion: v1, kind: ConfigMap, metadata: {name: 1}}", err: "put it in quotes"},
		"generateName":     {in: "{apiVersion: v1, kind: Pod, metadata: {generateName: a-}}", err: "generateName"},
		"name with slash":  {in: "{apiVersion: v1, kind: ConfigMap, metadata: {name: ../x}}", err: "not a name"},
		"name too long":    {in: "{apiVersion: v1, kind: ConfigMap, metadata: {name: " + strings.Repeat("a", 254) + "}}", err: "not a name"},
		"bad namespace":    {in: "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: A/b}}", err: "not a DNS label"},
		"namespace a list": {in: "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: [b]}}", err: "not a DNS label"},
		"label a number":   {in: "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {b: 1}}}", err: "ConfigMap a: metadata.labels must be a map of strings"},
		"item of a List":   {in: "{apiVersion: v1, kind: List, items: [{}]}", err: "document 1: items[0]: apiVersion or kind"},
		"lists in lists": {
			in:  "{kind: List, items: [{kind: List, items: [{kind: List, items: [{kind: List, items: []}]}]}]}",
			err: "lists within lists",
		},
		"too many": {
			in:     strings.Repeat("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n", maxObjects+1),
			err:    "more than 5000 objects",
			reason: installer.ReasonTooLarge,
		},
		"alias bomb": {in: bomb(), err: "document 1"},
		"deep":       {in: strings.Repeat("[", 100_000), err: "document 1"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := parse([]byte(test.in))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				if strings.Contains(err.Error(), "topsecret") {
					t.Errorf("the error tells content: %v", err)
				}
				want := test.reason
				if want == "" {
					want = installer.ReasonManifestInvalid
				}
				if got := installer.ReasonOf(err); got != want || !installer.IsTerminal(err) {
					t.Errorf("reason %s, terminal %v", got, installer.IsTerminal(err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, obj := range objects {
				name := obj.GetKind() + " " + obj.GetName()
				if obj.GetNamespace() != "" {
					name = obj.GetKind() + " " + obj.GetNamespace() + "/" + obj.GetName()
				}
				got = append(got, name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	return b.String()
}

func TestParseCleans(t *testing.T) {
	objects, err := parse([]byte(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: a
  creationTimestamp: null
  uid: x
  resourceVersion: "1"
  managedFields: []
  labels: {keep: "yes", ksit.io/integration: other, ksit.io/namespace: other}
spec: {conversion: {webhook: {clientConfig: {caBundle: Cg==, service: {name: s}}}}}
status: {conditions: []}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: b}
webhooks:
- {name: x, clientConfig: {caBundle: "", url: u}}
- {name: z, clientConfig: {caBundle: Y2VydA==}}
- null
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "a", "labels": map[string]any{"keep": "yes"}},
		"spec":     map[string]any{"conversion": map[string]any{"webhook": map[string]any{"clientConfig": map[string]any{"service": map[string]any{"name": "s"}}}}},
	}, {
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
		"metadata": map[string]any{"name": "b"},
		"webhooks": []any{
			map[string]any{"name": "x", "clientConfig": map[string]any{"url": "u"}},
			map[string]any{"name": "z", "clientConfig": map[string]any{"caBundle": "Y2VydA=="}},
			nil,
		},
	}}
	for i, obj := range objects {
		if diff := cmp.Diff(want[i], obj.Object); diff != "" {
			t.Error(diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n{\"kind\":\"List\",\"items\":[]}"))
	f.Add([]byte(`{"apiVersion":"admissionregistration.k8s.io/v1","kind":"X","metadata":{"name":"a"},"webhooks":[1,{"clientConfig":{"caBundle":1}}]}`))
	f.Add([]byte(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"a"},"spec":{"versions":[1,{"served":1}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, err := parse(data)
		if err != nil {
			if !installer.IsTerminal(err) {
				t.Errorf("error %v is not terminal", err)
			}
			return
		}
		newKinds(nil).declare(objects)
		for _, obj := range objects {
			if obj.GetName() == "" || obj.GetKind() == "" || obj.GetAPIVersion() == "" {
				t.Errorf("incomplete: %v", obj)
			}
			obj.DeepCopy()
		}
	})
}
