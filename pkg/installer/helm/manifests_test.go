// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/rewrite"
)

const twoObjects = `---
# Source: web/templates/a.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: a} # image of a
---
# Source: web/templates/b.yaml
apiVersion: v1
kind: Pod
metadata:
  name: b
spec:
  containers:
  - name: b
    image: docker.io/b:1
---
# only a comment
`

func TestRewriteImages(t *testing.T) {
	table, err := rewrite.New(nil, rewrite.Rule{From: "docker.io/", To: "mirror.example.com/"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := rewriteImages(table, []byte(twoObjects))
	if err != nil {
		t.Fatal(err)
	}
	want := `---
# Source: web/templates/a.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: a} # image of a
---
# Source: web/templates/b.yaml
apiVersion: v1
kind: Pod
metadata:
  name: b
spec:
  containers:
  - image: mirror.example.com/library/b:1
    name: b
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	for _, untouched := range []string{"", "image: [", strings.ReplaceAll(twoObjects, "docker.io", "quay.io")} {
		if got, err := rewriteImages(table, []byte(untouched)); err != nil || string(got) != untouched {
			t.Errorf("%q became %q, %v", untouched, got, err)
		}
	}
	if got, err := rewriteImages(nil, []byte(twoObjects)); err != nil || string(got) != twoObjects {
		t.Errorf("no table: %q, %v", got, err)
	}
}

func TestManifestObjects(t *testing.T) {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, meta.RESTScopeNamespace)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, meta.RESTScopeRoot)
	manifest := twoObjects + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: other}\n"
	ids, err := manifestObjects(manifest, "here", mapper)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, id := range ids {
		got = append(got, id.GroupKind.Kind+" "+id.Namespace+"/"+id.Name)
	}
	if diff := cmp.Diff([]string{"ConfigMap here/a", "Pod here/b", "Namespace /ns", "ConfigMap other/c"}, got); diff != "" {
		t.Error(diff)
	}
	if n := countObjects(manifest); n != 4 {
		t.Errorf("%d objects", n)
	}
}

func TestTemplatedCRDs(t *testing.T) {
	manifest := "---\n" + crdOf("Apple", "apples") + "---\n" + twoObjects + "---\n" + `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "pears.example.com"}, "spec": {"group": "example.com", "names": {"kind": "Pear"}, "versions": [{"name": "v1", "served": true}, {"name": "v0"}]}}`
	crds, err := templatedCRDs([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	if len(crds) != 2 || crds[1].Metadata.Name != "pears.example.com" || len(crds[1].versions()) != 1 || !crds[0].templated {
		t.Errorf("%+v", crds)
	}
	_, err = templatedCRDs([]byte("apiVersion: apiextensions.k8s.io/v1beta1\nkind: CustomResourceDefinition\nmetadata: {name: old.example.com}\n"))
	wantReason(t, err, installer.ReasonRenderFailed, true, "old.example.com", "v1beta1")
	if crds, err := templatedCRDs([]byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  crd.yaml: |\n    kind: CustomResourceDefinition\n")); err != nil || len(crds) != 0 {
		t.Errorf("a CRD inside of a ConfigMap: %v, %v", crds, err)
	}
}

func TestPlan(t *testing.T) {
	request := installer.Request{
		Owner: me, Type: v1alpha1.IntegrationTypeIstio, Namespace: "istio-system",
		AutoInstall: &v1alpha1.AutoInstall{HelmConfig: &v1alpha1.HelmConfig{Chart: "istiod", ReleaseName: "istiod", Version: "1.20.2", Repository: "https://example.com"}},
		Recorded: []v1alpha1.ReleaseStatus{
			{Name: "istio-base", Namespace: "istio-system", Adopted: true}, {Name: "istiod", Namespace: "elsewhere"}, {Name: "old", Namespace: "istio-system"},
		},
	}
	releases, dropped, err := plan(request)
	if err != nil {
		t.Fatal(err)
	}
	if len(releases) != 2 || releases[0].name.Name != "istio-base" || releases[0].wish.chart != "base" || releases[1].name.Name != "istiod" {
		t.Errorf("releases %+v", releases)
	}
	if w := releases[0].wish; !w.recorded || !w.adopted || releases[1].wish.recorded {
		t.Errorf("recorded: %+v, %+v", w, releases[1].wish)
	}
	if len(dropped) != 2 || dropped[0].Namespace != "elsewhere" || dropped[1].Name != "old" {
		t.Errorf("dropped %+v", dropped)
	}
	for name, change := range map[string]func(*v1alpha1.HelmConfig){
		"no chart":    func(c *v1alpha1.HelmConfig) { c.Chart = "" },
		"no name":     func(c *v1alpha1.HelmConfig) { c.ReleaseName = "" },
		"bad version": func(c *v1alpha1.HelmConfig) { c.Version = "newest" },
		"bad values":  func(c *v1alpha1.HelmConfig) { c.Values = map[string]string{"": ""} },
	} {
		bad := request
		bad.AutoInstall = request.AutoInstall.DeepCopy()
		change(bad.AutoInstall.HelmConfig)
		if _, _, err := plan(bad); !installer.IsTerminal(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
