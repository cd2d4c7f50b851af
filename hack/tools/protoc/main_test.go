// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const source = `syntax = "proto2";
package example.v1;
import "example/base/generated.proto";
option go_package = "example/v1";
// Thing is described here.
message Thing {
  optional example.base.Name name = 1;
  map<string, string> labels = 2;
}
`

const imported = `syntax = "proto2";
package example.base;
option go_package = "example/base";
message Name { optional string value = 1; }
`

func TestRun(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "example/v1/generated.proto", source)
	write(t, dir, "example/base/generated.proto", imported)

	if err := run(t.Context(), []string{"-I", ".", "-I" + dir, "--gogo_out=" + dir, file}); err != nil {
		t.Fatal(err)
	}
	generated, err := os.ReadFile(filepath.Join(dir, "example/v1/generated.pb.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"// source: example/v1/generated.proto",
		"// Thing is described here.",
		`protobuf:"bytes,1,opt,name=name"`,
		`"example/base"`,
	} {
		if !strings.Contains(string(generated), want) {
			t.Errorf("generated code lacks %q", want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "example/base/generated.pb.go")); !os.IsNotExist(err) {
		t.Errorf("an imported file was generated too (%v)", err)
	}
}

func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	broken := write(t, dir, "broken.proto", "syntax = \"proto2\";\nmessage {")
	alone := write(t, dir, "alone.proto", source)
	tests := map[string]struct {
		args []string
		want string
	}{
		"no file":           {[]string{"-I", dir, "--gogo_out=" + dir}, "usage"},
		"no output":         {[]string{"-I", dir, broken}, "usage"},
		"no directory":      {[]string{"--gogo_out=" + dir, broken, "-I"}, "needs a directory"},
		"an unknown flag":   {[]string{"--go_out=" + dir, broken}, "--go_out"},
		"a file elsewhere":  {[]string{"-I", filepath.Join(dir, "other"), "--gogo_out=" + dir, broken}, "in none of the import paths"},
		"a broken file":     {[]string{"-I", dir, "--gogo_out=" + dir, broken}, "broken.proto:2:"},
		"an import missing": {[]string{"-I", dir, "--gogo_out=" + dir, alone}, "example/base/generated.proto"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), test.args)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
