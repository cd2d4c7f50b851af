// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime/debug"

	"ksit.io/ksit/hack/image/oci"
)

// legal are the names of files that must go with a program: licences, and what
// they say must be passed on.
var legal = regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright|notice|patents)([-._].*)?$`)

// licenses returns the files for the directory licenses of the image: those of KSIT,
// of Go, of the list of authorities and of every module that is linked in. A module
// without any is an error.
func licenses(ctx context.Context, source, scratch string, info *buildinfo.BuildInfo) ([]oci.File, error) {
	files, err := legalFiles(source, "licenses/ksit")
	if err != nil {
		return nil, err
	}
	goRoot, err := goCommand(ctx, source, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{"licenses/go": string(bytes.TrimSpace(goRoot))}
	modules := append([]*debug.Module(nil), info.Deps...)
	if self, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range self.Deps {
			if dep.Path == rootsModule {
				modules = append(modules, dep)
			}
		}
	}
	found, err := download(ctx, scratch, modules)
	if err != nil {
		return nil, err
	}
	for name, dir := range found {
		dirs[path.Join("licenses", name)] = dir
	}
	for name, dir := range dirs {
		more, err := legalFiles(dir, name)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	return files, nil
}

// rootsModule holds the authorities.
const rootsModule = "golang.org/x/crypto/x509roots/fallback"

// effective is what a module was replaced by, or itself.
func effective(m *debug.Module) *debug.Module {
	for m.Replace != nil {
		m = m.Replace
	}
	return m
}

// download returns the directory of each module in the cache of modules, which has
// them all once a program was linked of them. It is asked from outside of any module,
// so that no go.sum is touched.
func download(ctx context.Context, scratch string, modules []*debug.Module) (map[string]string, error) {
	args := []string{"mod", "download", "-json"}
	for _, m := range modules {
		m = effective(m)
		args = append(args, m.Path+"@"+m.Version)
	}
	out, err := goCommand(ctx, scratch, args...)
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Version, Dir, Error string }
		if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
			return dirs, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading what go mod download says: %w", err)
		}
		if m.Error != "" {
			return nil, fmt.Errorf("finding the module %s: %s", m.Path, m.Error)
		}
		dirs[m.Path+"@"+m.Version] = m.Dir
	}
}

func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", args[0], err, stderr.String())
	}
	return out, nil
}

// legalFiles reads the legal files at the top of a directory.
func legalFiles(dir, name string) ([]oci.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("looking for the licence of %s: %w", name, err)
	}
	var files []oci.File
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !legal.MatchString(entry.Name()) || path.Ext(entry.Name()) == ".go" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading the licence of %s: %w", name, err)
		}
		files = append(files, oci.File{Path: path.Join(name, entry.Name()), Mode: 0o644, Content: content})
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("looking for the licence of %s: %w", name, fs.ErrNotExist)
	}
	return files, nil
}
