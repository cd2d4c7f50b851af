// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package imports

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the repository, seen from this package.
const root = "../.."

// maxFileBytes bounds what is read: larger files are data, not text.
const maxFileBytes = 4 << 20

// files calls do with every file of the repository, by its path with slashes.
// What git ignores is left out as far as this package knows of it.
func files(t *testing.T, do func(path string, content []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			// Somebody may be working in the tree.
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if entry.IsDir() {
			if name == ".git" || name == "bin" || strings.HasSuffix(name, "/bin") {
				return fs.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxFileBytes {
			return nil
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		do(name, content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNoMachinePaths makes sure that no file names a place on the machine that
// it was written on: elsewhere such a path means nothing.
func TestNoMachinePaths(t *testing.T) {
	// Put together here, or this file would be the first to be found.
	var places [][]byte
	for _, place := range []string{"work/", "root/", "home/", "tmp/lab", "tmp/plan", "Users/"} {
		places = append(places, []byte("/"+place))
	}
	files(t, func(path string, content []byte) {
		if bytes.IndexByte(content[:min(len(content), 8000)], 0) >= 0 {
			return // A binary.
		}
		for number, line := range bytes.Split(content, []byte("\n")) {
			for _, place := range places {
				at := bytes.Index(line, place)
				// In the middle of a URL or of a longer path it is no place on a
				// machine.
				if at < 0 || (at > 0 && strings.IndexByte(" \t\"'`=:(<,[", line[at-1]) < 0) {
					continue
				}
				t.Errorf("%s:%d names the path of a machine: %s", path, number+1, place)
			}
		}
	})
}

const header = "// Copyright The KSIT Authors.\n// SPDX-License-Identifier: Apache-2.0\n"

func generated(content []byte) bool {
	return bytes.Contains(content[:min(len(content), 2000)], []byte("DO NOT EDIT"))
}

func TestHeaders(t *testing.T) {
	files(t, func(path string, content []byte) {
		if !strings.HasSuffix(path, ".go") || generated(content) {
			return
		}
		text := content
		// A build constraint may stand first.
		if bytes.HasPrefix(text, []byte("//go:build ")) {
			_, text, _ = bytes.Cut(text, []byte("\n\n"))
		}
		if !bytes.HasPrefix(text, []byte(header)) {
			t.Errorf("%s does not begin with the header: %q", path, header)
		}
	})
}

// TestModule makes sure that the module can be depended on: what a go.mod
// replaces holds only in its own module.
func TestModule(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for number, line := range strings.Split(string(content), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "replace") {
			t.Errorf("go.mod:%d: the main module has a replace", number+1)
		}
	}
}
