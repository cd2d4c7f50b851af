// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/object"
	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/rewrite"
)

func TestReleaseEncoding(t *testing.T) {
	rel := &release.Release{
		Name: "web", Namespace: "a", Version: 3, Manifest: "a: b", Config: map[string]any{"c": "d"},
		Info:  &release.Info{Status: release.StatusDeployed},
		Chart: &chart.Chart{Metadata: &chart.Metadata{Name: "web", Version: "1.0.0"}, Templates: []*chart.File{{Name: "t", Data: []byte("x")}}},
	}
	encoded, err := encodeRelease(rel)
	if err != nil {
		t.Fatal(err)
	}
	var back release.Release
	if err := decodeRelease(encoded, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rel, &back, cmp.AllowUnexported(chart.Chart{})); diff != "" {
		t.Error(diff)
	}
	var part storedRelease
	if err := decodeRelease(encoded, &part); err != nil || part.chartName() != "web" || part.Manifest != "a: b" {
		t.Error(part, err)
	}
	plain := []byte(base64.StdEncoding.EncodeToString([]byte(`{"name":"old"}`)))
	if err := decodeRelease(plain, &part); err != nil || part.Name != "old" {
		t.Errorf("one that is not compressed: %v", err)
	}

	var bomb bytes.Buffer
	zipper := gzip.NewWriter(&bomb)
	for range maxDecodedRelease>>20 + 1 {
		_, _ = zipper.Write(make([]byte, 1<<20))
	}
	_ = zipper.Close()
	for name, bad := range map[string][]byte{
		"nothing":    nil,
		"no base64":  []byte("!"),
		"no JSON":    []byte(base64.StdEncoding.EncodeToString([]byte("x"))),
		"cut gzip":   []byte(base64.StdEncoding.EncodeToString(bomb.Bytes()[:100])),
		"a bomb":     []byte(base64.StdEncoding.EncodeToString(bomb.Bytes())),
		"wrong JSON": []byte(base64.StdEncoding.EncodeToString([]byte(`{"name":1}`))),
	} {
		if err := decodeRelease(bad, &part); err == nil {
			t.Errorf("%s is taken for a release", name)
		}
	}
}

func TestBoundRelease(t *testing.T) {
	bomb := "a: &a " + strings.Repeat("x", 100<<10) + "\nb: [" + strings.Repeat("*a, ", 200) + "]\n"
	for name, test := range map[string]struct {
		rel  release.Release
		fits bool
	}{
		"one that is not":    {release.Release{Manifest: "---\na: &a 1\nb: *a\n", Hooks: []*release.Hook{{Manifest: "a: 1"}}}, true},
		"a manifest":         {release.Release{Manifest: "---\na: 1\n---\n" + bomb}, false},
		"a hook":             {release.Release{Hooks: []*release.Hook{{Manifest: bomb}}}, false},
		"a hook that is nil": {release.Release{Hooks: []*release.Hook{nil}}, false},
	} {
		if err := boundRelease(&test.rel); (err == nil) != test.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzStoredRelease has a Secret on a target that anybody may have written.
func FuzzStoredRelease(f *testing.F) {
	f.Add([]byte(`{"name":"web","manifest":"---\napiVersion: v1\nkind: Pod\nspec: {containers: [{image: docker.io/a}]}\n","hooks":[null,{"manifest":"a: 1"}]}`))
	f.Add([]byte(`{"chart":{"metadata":{"name":"web"}},"config":{"a":1},"manifest":"kind: CustomResourceDefinition\nspec: {}\n"}`))
	table, err := rewrite.New(nil, rewrite.Rule{From: "docker.io/", To: "mirror.example.com/"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		encoded := []byte(base64.StdEncoding.EncodeToString(raw))
		var part storedRelease
		_ = decodeRelease(encoded, &part)
		var rel release.Release
		if decodeRelease(encoded, &rel) != nil || boundRelease(&rel) != nil {
			return
		}
		_ = countObjects(rel.Manifest)
		_, _ = templatedCRDs([]byte(rel.Manifest))
		_, _ = rewriteImages(table, []byte(rel.Manifest))
	})
}

func TestFits(t *testing.T) {
	noise := make([]byte, 2<<20)
	_, _ = rand.Read(noise)
	r := rollout{chart: &chart.Chart{Metadata: &chart.Metadata{Name: "web"}}}
	if err := fits(releaseName{}, r, bytes.Repeat([]byte("well compressed "), 1<<18)); err != nil {
		t.Error(err)
	}
	err := fits(releaseName{}, r, []byte(base64.StdEncoding.EncodeToString(noise)))
	wantReason(t, err, installer.ReasonTooLarge, true)
}

func TestObjectCache(t *testing.T) {
	c := newObjectCache()
	key := func(name string) objectsKey { return objectsKey{release: types.NamespacedName{Name: name}} }
	half := make(object.ObjMetadataSet, maxObjects/2)
	c.put(key("a"), "s", "1", half)
	c.put(key("b"), "s", "1", half)
	if _, ok := c.get(key("a"), "s", "1"); !ok {
		t.Error("a is not kept")
	}
	if _, ok := c.get(key("a"), "s", "2"); ok {
		t.Error("a changed and is used")
	}
	c.put(key("c"), "s", "1", half[:1])
	for name, want := range map[string]bool{"a": true, "b": false, "c": true} {
		if _, ok := c.get(key(name), "s", "1"); ok != want {
			t.Errorf("%s kept: %t", name, ok)
		}
	}
	c.put(key("d"), "s", "1", make(object.ObjMetadataSet, maxObjects+1))
	if _, ok := c.get(key("d"), "s", "1"); ok || c.objects != maxObjects/2+1 {
		t.Errorf("%d objects", c.objects)
	}
}
