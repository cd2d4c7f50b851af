// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/x509"
	"debug/buildinfo"
	"encoding/json"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"ksit.io/ksit/hack/image/oci"
)

var created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// TestImage builds KSIT's image twice, and looks into it.
func TestImage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds KSIT twice")
	}
	var digests [2]string
	var image oci.Image
	var p *program
	for i := range digests {
		b := &builder{source: "../..", pkg: "./cmd/ksit", version: "v1.2.3", commit: "abc", created: created, scratch: t.TempDir()}
		var err error
		if p, err = b.build(t.Context(), "linux", "amd64"); err != nil {
			t.Fatal(err)
		}
		if image, err = b.image(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if digests[i], err = oci.WriteArchive(io.Discard, "localhost/ksit:v1.2.3", []oci.Image{image}); err != nil {
			t.Fatal(err)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("two builds of the same are %s and %s", digests[0], digests[1])
	}

	files := map[string]oci.File{}
	for _, layer := range image.Layers {
		for _, file := range layer {
			files[file.Path] = file
		}
	}
	if image.Config.User != "65532:65532" || !slices.Equal(image.Config.Entrypoint, []string{"/ksit"}) {
		t.Errorf("the image runs %v as %s", image.Config.Entrypoint, image.Config.User)
	}
	if labels := image.Config.Labels; labels["org.opencontainers.image.version"] != "v1.2.3" || labels["org.opencontainers.image.revision"] != "abc" {
		t.Errorf("the labels are %v", labels)
	}
	if !bytes.Contains(files["ksit"].Content, []byte("v1.2.3")) {
		t.Error("the version is not stamped into the program")
	}
	for _, dep := range p.info.Deps {
		m := effective(dep)
		prefix := "licenses/" + m.Path + "@" + m.Version + "/"
		if !slices.ContainsFunc(image.Layers[1], func(f oci.File) bool { return strings.HasPrefix(f.Path, prefix) }) {
			t.Errorf("the licence of %s is not in the image", m.Path)
		}
	}
	for _, path := range []string{"licenses/ksit/LICENSE", "licenses/go/LICENSE"} {
		if len(files[path].Content) == 0 {
			t.Errorf("%s is not in the image", path)
		}
	}
}

func TestAuthorities(t *testing.T) {
	pool := x509.NewCertPool()
	if pem := authorities(); !pool.AppendCertsFromPEM(pem) || bytes.Count(pem, []byte("BEGIN CERTIFICATE")) < 100 {
		t.Error("the authorities of the world are more than these")
	}
}

func TestBillOfMaterials(t *testing.T) {
	info := &buildinfo.BuildInfo{
		GoVersion: "go1.99.0",
		Main:      debug.Module{Path: "ksit.io/ksit"},
		Deps: []*debug.Module{
			{Path: "example.com/a", Version: "v1.0.0+incompatible", Sum: "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
			{Path: "example.com/b", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/c", Version: "v2.0.0"}},
		},
	}
	data, err := billOfMaterials(info, "localhost/ksit:v1", "linux/amd64", created)
	if err != nil {
		t.Fatal(err)
	}
	var got spdxDocument
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	var purls []string
	ids := map[string]bool{spdxRoot: true}
	for _, p := range got.Packages {
		if ids[p.SPDXID] {
			t.Errorf("%s is there twice", p.SPDXID)
		}
		ids[p.SPDXID] = true
		for _, ref := range p.ExternalRefs {
			purls = append(purls, ref.Locator)
		}
	}
	if want := []string{"pkg:golang/std@1.99.0", "pkg:golang/example.com/a@v1.0.0%2Bincompatible", "pkg:golang/example.com/c@v2.0.0"}; !slices.Equal(purls, want) {
		t.Errorf("the parts are %q, not %q", purls, want)
	}
	for _, r := range got.Relationships {
		if !ids[r.Element] || !ids[r.Related] {
			t.Errorf("%+v leads nowhere", r)
		}
	}
	again, err := billOfMaterials(info, "localhost/ksit:v1", "linux/amd64", created)
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("the same parts have another bill (%v)", err)
	}
	info.Deps[0].Sum = "h1:not base64"
	if _, err := billOfMaterials(info, "localhost/ksit:v1", "linux/amd64", created); err == nil {
		t.Error("a checksum that is none was taken")
	}
}

func TestOptions(t *testing.T) {
	for name, tt := range map[string]struct {
		o    options
		want string
	}{
		"no version":        {options{}, "--version"},
		"no time":           {options{version: "v1", created: "yesterday"}, "--created"},
		"no platform":       {options{version: "v1", platforms: "amd64", out: t.TempDir() + "/x.tar"}, "no platform"},
		"another system":    {options{version: "v1", platforms: "windows/amd64", out: t.TempDir() + "/x.tar"}, "no platform"},
		"no such directory": {options{version: "v1", platforms: "linux/amd64", source: t.TempDir(), pkg: "./cmd", out: t.TempDir() + "/x.tar"}, "building"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		})
	}
	if got := tag("v1.0.0+build"); got != "v1.0.0-build" {
		t.Errorf("the tag is %s", got)
	}
}
