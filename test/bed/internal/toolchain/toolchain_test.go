// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package toolchain

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestKeyDependsOnEverything(t *testing.T) {
	write := func(dir, name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	base := func(t *testing.T) module {
		dir := t.TempDir()
		write(dir, "go.mod", "module example.com/m\n")
		return module{name: "m", pkg: ".", program: "m", source: dir}
	}
	key := func(t *testing.T, m module, goVersion string) string {
		t.Helper()
		k, err := m.key(goVersion)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	want := key(t, base(t), "go1")
	if got := key(t, base(t), "go1"); got != want {
		t.Errorf("the same sources in another place have the key %s, not %s", got, want)
	}
	for name, change := range map[string]func(*module) string{
		"toolchain": func(*module) string { return "go2" },
		"ldflags":   func(m *module) string { m.ldflags = "-X a.b=c"; return "go1" },
		"package":   func(m *module) string { m.pkg = "./cmd"; return "go1" },
		"links":     func(m *module) string { m.links = []string{"n"}; return "go1" },
		"stages":    func(m *module) string { m.stages = true; return "go1" },
		"content":   func(m *module) string { write(m.source, "go.mod", "module example.com/n\n"); return "go1" },
		"file":      func(m *module) string { write(m.source, "main.go", "package main\n"); return "go1" },
	} {
		t.Run(name, func(t *testing.T) {
			m := base(t)
			goVersion := change(&m)
			if key(t, m, goVersion) == want {
				t.Error("the key is the same as before the change")
			}
		})
	}
}

// TestVersionsAgree guards the version that the kube components are stamped
// with, and that of the staging modules, against an upgrade that forgets one.
func TestVersionsAgree(t *testing.T) {
	source, err := sourceDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kube", realNode} {
		content, err := os.ReadFile(filepath.Join(source, name, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		required := regexp.MustCompile(`k8s\.io/kubernetes (v\S+)`).FindSubmatch(content)
		if required == nil || string(required[1]) != KubernetesVersion {
			t.Errorf("tools/%s requires Kubernetes %s, and it is stamped %s", name, required, KubernetesVersion)
		}
		staging := "v0" + strings.TrimPrefix(KubernetesVersion, "v1")
		for _, replace := range regexp.MustCompile(`(k8s\.io/\S+) => \S+ (v\S+)`).FindAllSubmatch(content, -1) {
			if string(replace[2]) != staging {
				t.Errorf("tools/%s takes %s at %s, not %s", name, replace[1], replace[2], staging)
			}
		}
	}
}

// TestVersionsAreShared guards the time of a build from nothing: modules of which
// a generator, a program of the bed or a test has another version than KSIT are
// compiled once more, and so is all that uses them, which is most of Kubernetes.
func TestVersionsAreShared(t *testing.T) {
	source, err := sourceDir()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(source, "..", "..", "..")
	dirs := []string{"hack/tools", "hack/image", "test/bed", "test/e2e", "test/monitoring"}
	for _, m := range modules {
		dirs = append(dirs, "test/bed/tools/"+m.name)
	}
	ours := required(t, filepath.Join(root, "go.mod"))
	for _, dir := range dirs {
		for path, version := range required(t, filepath.Join(root, dir, "go.mod")) {
			// What is replaced has no version of its own.
			if want := ours[path]; want != "" && version != want && version != "v0.0.0" {
				t.Errorf("%s has %s %s and KSIT %s: run hack/update-tools.sh", dir, path, version, want)
			}
		}
	}
}

// TestFlagsAreShared guards the same: with other flags of the compiler the same
// sources are compiled once more too.
func TestFlagsAreShared(t *testing.T) {
	source, err := sourceDir()
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(source, "..", "..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	ours := regexp.MustCompile(`(?m)^export GOFLAGS := .*$`).Find(makefile)
	m := module{name: modules[0].name, source: filepath.Join(source, modules[0].name)}
	theirs, err := m.run(t.Context(), "env", "GOFLAGS")
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"-trimpath", "-gcflags", "-tags"} {
		if bytes.Contains(ours, []byte(flag)) != bytes.Contains(theirs, []byte(flag)) {
			t.Errorf("KSIT is compiled with %q and the programs of the bed with %q", ours, theirs)
		}
	}
}

// required returns the versions that a go.mod requires.
func required(t *testing.T, path string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^(?:require )?\s*(\S+\.\S+) (v\S+)`).FindAllSubmatch(content, -1) {
		versions[string(match[1])] = string(match[2])
	}
	if len(versions) == 0 && bytes.Contains(content, []byte("require")) {
		t.Fatalf("%s requires nothing that could be read", path)
	}
	return versions
}

func TestLockWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path, func() { t.Error("waited for nobody") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	waited := 0
	if _, err := lock(ctx, path, func() { waited++ }); err == nil || waited != 1 {
		t.Errorf("the lock was given twice: %v, having said %d times that it waits", err, waited)
	}
	unlock()
	unlock, err = lock(t.Context(), path, func() {})
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}
