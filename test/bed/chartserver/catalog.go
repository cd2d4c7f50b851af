// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package chartserver

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// manifestsDir is the directory of the sources that holds plain manifests.
const manifestsDir = "manifests"

// repository is a set of charts under one address.
type repository struct {
	name     string
	sources  map[string]*source    // by chart, the one that new versions are made of
	archives map[string][]*archive // by chart, newest first
}

// add takes in an archive, in the place of one of the same version.
func (r *repository) add(a *archive) {
	versions := slices.DeleteFunc(slices.Clone(r.archives[a.name]), func(b *archive) bool { return b.version == a.version })
	versions = append(versions, a)
	slices.SortFunc(versions, func(a, b *archive) int { return -compareVersions(a.version, b.version) })
	r.archives[a.name] = versions
}

// find returns the archive with the given version, nil if there is none.
func (r *repository) find(chart, version string) *archive {
	for _, a := range r.archives[chart] {
		if a.version == version {
			return a
		}
	}
	return nil
}

// index returns the repository's index.yaml, its archives named relative to
// it, or below base if one is given.
func (r *repository) index(base string) ([]byte, error) {
	entries := map[string]any{}
	for chart, versions := range r.archives {
		list := make([]any, 0, len(versions))
		for _, a := range versions {
			entry := map[string]any{
				"created": released().Format(time.RFC3339),
				"digest":  a.digest,
				"urls":    []string{base + a.file()},
			}
			for key, value := range a.metadata {
				entry[key] = value
			}
			list = append(list, entry)
		}
		entries[chart] = list
	}
	data, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1",
		"entries":    entries,
		"generated":  released().Format(time.RFC3339),
	})
	if err != nil {
		return nil, fmt.Errorf("index of repository %s: %w", r.name, err)
	}
	return data, nil
}

// readRepositories packages the charts in fsys; only those of the named
// repositories, if any are named.
func readRepositories(fsys fs.FS, only []string) (map[string]*repository, error) {
	dirs, err := fs.Glob(fsys, path.Join("*", "*", chartFile))
	if err != nil {
		return nil, fmt.Errorf("listing charts: %w", err)
	}
	all := map[string]*repository{}
	for _, file := range dirs {
		dir := path.Dir(file)
		name := path.Dir(dir)
		if len(only) > 0 && !slices.Contains(only, name) {
			continue
		}
		r := all[name]
		if r == nil {
			r = &repository{name: name, sources: map[string]*source{}, archives: map[string][]*archive{}}
			all[name] = r
		}
		s, err := readSource(fsys, name, dir)
		if err != nil {
			return nil, err
		}
		archives, err := s.archives()
		if err != nil {
			return nil, err
		}
		for _, a := range archives {
			r.sources[a.name] = s
			r.add(a)
		}
	}
	return all, nil
}

// readManifests returns the plain manifests in fsys, by path.
func readManifests(fsys fs.FS) (map[string][]byte, error) {
	bundles := map[string]*bytes.Buffer{}
	err := fs.WalkDir(fsys, manifestsDir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if _, data, err = expand(fsys, name, data); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		target := "/" + path.Join(strings.TrimPrefix(path.Dir(name), manifestsDir+"/"), "install.yaml")
		bundle := bundles[target]
		if bundle == nil {
			bundle = &bytes.Buffer{}
			bundles[target] = bundle
		}
		if bundle.Len() > 0 && !bytes.HasPrefix(data, []byte("---")) {
			bundle.WriteString("---\n")
		}
		bundle.Write(data)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	out := make(map[string][]byte, len(bundles))
	for target, bundle := range bundles {
		out[target] = bundle.Bytes()
	}
	return out, nil
}

// compareVersions orders dotted versions by their numbers; a pre-release
// comes before its release. Enough for the versions that the bed has.
func compareVersions(a, b string) int {
	a, preA, _ := strings.Cut(a, "-")
	b, preB, _ := strings.Cut(b, "-")
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		if c := number(as, i) - number(bs, i); c != 0 {
			return c
		}
	}
	switch {
	case preA == "" && preB != "":
		return 1
	case preA != "" && preB == "":
		return -1
	default:
		return strings.Compare(preA, preB)
	}
}

func number(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return 0
	}
	return n
}
