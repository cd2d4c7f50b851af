// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/expression"
	"ksit.io/ksit/pkg/installer"
)

func templated(object string, from ...installer.Values) installer.Request {
	return installer.Request{
		Owner:     installer.Owner{Namespace: "team", Integration: "db"},
		Namespace: "db",
		Target: installer.Target{Namespace: "team", Name: "one", ClusterName: "cluster-one",
			Labels: map[string]string{"region": "eu", "replicas": "3"}},
		Sources: installer.Sources{Values: from},
		AutoInstall: &v1alpha1.AutoInstall{HelmConfig: &v1alpha1.HelmConfig{
			Chart: "postgresql", ReleaseName: "db", TemplateValues: true,
			ValuesObject: &runtime.RawExtension{Raw: []byte(object)},
		}},
	}
}

func TestTemplateValues(t *testing.T) {
	for name, test := range map[string]struct {
		object      string
		from        []installer.Values
		off         bool
		want, shown string
	}{
		"every string, but no key": {
			object: `{"${target.name}":{"b":["${target.clusterName}.example.com",{"c":"${int(target.labels.replicas)}"}]},"n":1,"z":null}`,
			want:   `{"${target.name}":{"b":["cluster-one.example.com",{"c":3}]},"n":1,"z":null}`,
			shown:  "${target.name}:\n  b:\n  - cluster-one.example.com\n  - c: 3\n\"n\": 1\nz: null\n",
		},
		"a list or map in the place of a string": {
			object: `{"a":"${[target.name, integration.name]}","b":"${{'region': target.labels.region}}"}`,
			want:   `{"a":["one","db"],"b":{"region":"eu"}}`, shown: "a:\n- one\n- db\nb:\n  region: eu\n",
		},
		"from ConfigMaps and Secrets, which stay secret": {
			from:  []installer.Values{fromConfigMap("a: ${target.name}"), fromSecretAt("url: s3cret-${target.labels.region}\nlist: ${['s3cret']}\nport: 1", ""), fromSecretAt("${target.name}", "path")},
			want:  `{"a":"one","url":"s3cret-eu","list":["s3cret"],"port":1,"path":"one"}`,
			shown: "a: one\nlist:\n- <redacted>\npath: <redacted>\nport: <redacted>\nurl: <redacted>\n",
		},
		"not unless asked for": {
			object: `{"a":"${target.name}"}`, off: true,
			want: `{"a":"${target.name}"}`, shown: "a: ${target.name}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			req := templated(test.object, test.from...)
			req.AutoInstall.HelmConfig.TemplateValues = !test.off
			releases, _, err := plan(req)
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := json.Marshal(releases[0].wish.values)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decode(t, test.want), decode(t, string(encoded))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.shown, show(releases[0].marked)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTemplateErrors(t *testing.T) {
	for name, test := range map[string]struct {
		object string
		from   []installer.Values
		want   []string
	}{
		"a missing label": {
			object: `{"a":{"b.c":[1,"x ${target.labels.zone}"]}}`,
			want:   []string{`the value a.b\.c[1]: the expression at character 3 asks for a label`, `target.labels[?"zone"].orValue`},
		},
		"a misspelt variable":   {object: `{"a":"${target.zone}"}`, want: []string{"the value a:", "target.clusterName"}},
		"a secret expression":   {from: []installer.Values{fromSecretAt("a: ${hunter2}", "")}, want: []string{"the value a: the expression at character 1 is not valid", "Secret"}},
		"a secret label":        {from: []installer.Values{fromSecretAt("a: ${target.labels.hunter2}", "")}, want: []string{"asks for a label"}},
		"too many expressions":  {object: `{"a":[` + strings.Repeat(`"${1}",`, expression.MaxExpressions) + `"${1}"]}`, want: []string{fmt.Sprintf("a[%d]", expression.MaxExpressions)}},
		"a path without an end": {object: `{"` + strings.Repeat("x", 4096) + `":"${"}`, want: []string{"x…: "}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := plan(templated(test.object, test.from...))
			wantReason(t, err, installer.ReasonValuesInvalid, true, test.want...)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells a secret: %v", err)
			}
			if len(err.Error()) > 1024 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}
