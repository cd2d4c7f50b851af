// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package rewrite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		in string
		// err is part of the error; empty where there is none.
		err string
	}{
		"empty": {in: ""},
		"both": {in: `
rewrites:
- from: https://argoproj.github.io/argo-helm
  to: http://127.0.0.1:8080/argo-helm
images:
- from: docker.io/
  to: registry.internal/dockerhub/
`},
		"JSON":                    {in: `{"rewrites":[{"from":"https://a","to":"oci://b/c"}]}`},
		"unknown field":           {in: "rewrite: []", err: `unknown field "rewrite"`},
		"unknown field of a rule": {in: "rewrites: [{from: https://a, to: https://b, when: never}]", err: `unknown field "when"`},
		"field twice":             {in: "images: []\nimages: []", err: "already set"},
		"not YAML":                {in: "{", err: "did not find"},
		"a list":                  {in: "- a", err: "cannot unmarshal"},
		"too large":               {in: strings.Repeat("#", maxFileBytes+1), err: "bytes"},
		"no from":                 {in: "rewrites: [{to: https://b}]", err: "rewrites[0]: from: must begin with"},
		"no to":                   {in: "rewrites: [{from: https://b}]", err: "rewrites[0]: to: must begin with"},
		"file URL":                {in: "rewrites: [{from: https://b, to: file:///etc}]", err: "must begin with http"},
		"no host":                 {in: "rewrites: [{from: https:///x, to: https://b}]", err: "has no host"},
		"credentials":             {in: "rewrites: [{from: https://b, to: https://u:secret@c}]", err: "must not hold a user name"},
		"query":                   {in: "rewrites: [{from: https://b, to: 'https://c?x=y'}]", err: "no query"},
		"fragment":                {in: "rewrites: [{from: https://b, to: 'https://c#x'}]", err: "no fragment"},
		"dots":                    {in: "rewrites: [{from: https://b/.., to: https://c}]", err: "dot segments"},
		"from twice":              {in: "rewrites: [{from: https://b, to: https://c}, {from: 'https://B:443/', to: https://d}]", err: "rewrites[1]: from https://b is also that of rewrites[0]"},
		"chain":                   {in: "rewrites: [{from: https://a, to: https://b}, {from: https://b/x, to: https://c}]", err: "never matches"},
		"loop":                    {in: "rewrites: [{from: https://a, to: https://b}, {from: https://b, to: https://a}]", err: "never matches"},
		"to itself":               {in: "rewrites: [{from: https://a, to: https://a/}]", err: "never matches"},
		"image with a scheme":     {in: "images: [{from: https://docker.io, to: r.i}]", err: "have no scheme"},
		"image without registry":  {in: "images: [{from: nginx, to: r.i}]", err: "must begin with a registry"},
		"image with a tag":        {in: "images: [{from: docker.io/x:1, to: r.i}]", err: "tag"},
		"image to nothing":        {in: "images: [{from: docker.io}]", err: `to ""`},
		"image from twice":        {in: "images: [{from: docker.io, to: r.i}, {from: index.docker.io/, to: r.j}]", err: "also that of images[0]"},
		"image chain":             {in: "images: [{from: docker.io, to: r.i}, {from: r.i/x, to: r.j}]", err: "never matches"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(test.in))
			switch {
			case test.err == "" && err != nil:
				t.Fatal(err)
			case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
				t.Fatalf("error %v, want one with %q", err, test.err)
			case err != nil && strings.Contains(err.Error(), "secret"):
				t.Fatalf("the error tells a password: %v", err)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rewrites.yaml")
	if err := os.WriteFile(file, []byte("rewrites: [{from: https://a, to: https://b}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := table.URL("https://a/x"); got != "https://b/x" {
		t.Errorf("got %s", got)
	}
	if _, err := Load(file + "x"); err == nil || !strings.Contains(err.Error(), "rewrites.yamlx") {
		t.Errorf("error of a missing file: %v", err)
	}
	if err := os.WriteFile(file, []byte("x: y"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "rewrites.yaml: ") {
		t.Errorf("error of a bad file: %v", err)
	}
	if _, err := Load("/dev/zero"); err == nil {
		t.Error("an endless file is accepted")
	}
}

func TestTooManyRules(t *testing.T) {
	if _, err := New(make([]Rule, maxRules+1)); err == nil {
		t.Error("accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("rewrites: [{from: https://a, to: https://b}]\nimages: [{from: docker.io, to: r.i}]"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		table, err := Parse(data)
		if err != nil {
			return
		}
		table.URL("https://a/b")
		table.Image("nginx")
	})
}
