// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package chartserver

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"ksit.io/ksit/test/bed/chartserver/internal/recipe"
)

// released is the time that everything packaged here claims to be from, so
// that the same sources always give the same bytes and the same digests.
func released() time.Time { return time.Date(2024, time.January, 15, 12, 0, 0, 0, time.UTC) }

const (
	chartFile    = "Chart.yaml"
	versionsFile = "versions.yaml"
)

// archive is one packaged version of a chart.
type archive struct {
	repository string
	name       string
	version    string
	metadata   map[string]any // Chart.yaml
	data       []byte         // the .tgz
	digest     string         // hex SHA-256 of data
	provenance []byte         // the .prov; nil where nothing is signed
}

// file is the archive's file name in its repository.
func (a *archive) file() string { return a.name + "-" + a.version + ".tgz" }

// extraVersion is an entry of a chart's versions.yaml.
type extraVersion struct {
	Version    string `json:"version"`
	AppVersion string `json:"appVersion,omitempty"`
}

// source is a chart's directory, read and expanded once for all versions.
type source struct {
	repository string
	metadata   map[string]any
	extra      []extraVersion
	files      []sourceFile // without Chart.yaml, in lexical order
}

type sourceFile struct {
	name string // relative to the chart's directory
	data []byte
}

// readSource reads the chart in dir of fsys.
func readSource(fsys fs.FS, repository, dir string) (*source, error) {
	s := &source{repository: repository}
	err := fs.WalkDir(fsys, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		relative := strings.TrimPrefix(name, dir+"/")
		switch relative {
		case chartFile:
			return yaml.Unmarshal(data, &s.metadata)
		case versionsFile:
			return yaml.UnmarshalStrict(data, &s.extra)
		}
		relative, data, err = expand(fsys, relative, data)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.files = append(s.files, sourceFile{name: relative, data: data})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading chart %s: %w", dir, err)
	}
	if name, _ := s.metadata["name"].(string); name == "" {
		return nil, fmt.Errorf("reading chart %s: %s has no name", dir, chartFile)
	}
	return s, nil
}

// expand returns the file that a source file becomes: itself, unless it is a
// recipe.
func expand(fsys fs.FS, name string, data []byte) (string, []byte, error) {
	base, ok := strings.CutSuffix(name, recipe.Suffix)
	if !ok {
		return name, data, nil
	}
	data, err := recipe.Expand(fsys, data)
	return base + ".yaml", data, err
}

// archives packages every version of the chart.
func (s *source) archives() ([]*archive, error) {
	own, err := s.pack("", "")
	if err != nil {
		return nil, err
	}
	all := []*archive{own}
	for _, v := range s.extra {
		a, err := s.pack(v.Version, v.AppVersion)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// pack packages the chart, as another version if one is given.
func (s *source) pack(version, appVersion string) (*archive, error) {
	metadata := make(map[string]any, len(s.metadata))
	for key, value := range s.metadata {
		metadata[key] = value
	}
	if version != "" {
		metadata["version"] = version
	}
	if appVersion != "" {
		metadata["appVersion"] = appVersion
	}
	a := &archive{repository: s.repository, metadata: metadata}
	a.name, _ = metadata["name"].(string)
	a.version, _ = metadata["version"].(string)
	if a.version == "" {
		return nil, fmt.Errorf("packaging %s: %s has no version", a.name, chartFile)
	}
	chart, err := yaml.Marshal(metadata)
	if err != nil {
		return nil, fmt.Errorf("packaging %s %s: %w", a.name, a.version, err)
	}
	files := append([]sourceFile{{name: chartFile, data: chart}}, s.files...)
	if a.data, err = tarball(a.name, files); err != nil {
		return nil, fmt.Errorf("packaging %s %s: %w", a.name, a.version, err)
	}
	a.digest = digestOf(a.data)
	return a, nil
}

// tarball packs files below the directory root.
func tarball(root string, files []sourceFile) ([]byte, error) {
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	archive := tar.NewWriter(compressed)
	for _, f := range files {
		header := &tar.Header{
			Typeflag: tar.TypeReg,
			Name:     path.Join(root, f.name),
			Size:     int64(len(f.data)),
			Mode:     0o644,
			ModTime:  released(),
		}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(archive.Close(), compressed.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
