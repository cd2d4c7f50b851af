// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package oci writes images of static programs: an archive of an OCI image layout
// that is at the same time what docker load reads. The same files give the same
// bytes: there are no times but the one that is given, no names of users, and one
// order.
package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// File is a file of an image.
type File struct {
	// Path in the image, without a leading slash.
	Path string
	// Content of a regular file; nil for a directory.
	Content []byte
	// Mode is the mode of the file, with fs.ModeDir for a directory and
	// fs.ModeSticky where wanted.
	Mode fs.FileMode
	// UID owns the file, and so does the group of that number.
	UID int
}

// Image is an image for one platform.
type Image struct {
	// OS and Architecture as Go calls them.
	OS, Architecture string
	// Layers from the lowest to the highest.
	Layers [][]File
	Config Config
	// Created is the only time in the image.
	Created time.Time
}

// Config says how the image is run.
type Config struct {
	User         string              `json:"User,omitempty"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"`
	Env          []string            `json:"Env,omitempty"`
	Entrypoint   []string            `json:"Entrypoint"`
	Cmd          []string            `json:"Cmd,omitempty"`
	Volumes      map[string]struct{} `json:"Volumes,omitempty"`
	WorkingDir   string              `json:"WorkingDir,omitempty"`
	Labels       map[string]string   `json:"Labels,omitempty"`
}

// blob is content by its digest.
type blob struct {
	digest string
	data   []byte
}

func newBlob(data []byte) blob {
	sum := sha256.Sum256(data)
	return blob{digest: "sha256:" + hex.EncodeToString(sum[:]), data: data}
}

// layer packs files, with the directories that lead to them, and returns the
// compressed layer and the digest of what it decompresses to.
func layer(files []File, created time.Time) (packed blob, diffID string, err error) {
	all, err := withParents(files)
	if err != nil {
		return blob{}, "", err
	}
	var plain bytes.Buffer
	archive := tar.NewWriter(&plain)
	for _, file := range all {
		header := &tar.Header{
			Name:    file.Path,
			Mode:    int64(file.Mode.Perm()),
			Uid:     file.UID,
			Gid:     file.UID,
			ModTime: created,
			Format:  tar.FormatPAX,
		}
		if file.Mode&fs.ModeSticky != 0 {
			header.Mode |= 0o1000
		}
		if file.Mode.IsDir() {
			header.Typeflag, header.Name = tar.TypeDir, file.Path+"/"
		} else {
			header.Typeflag, header.Size = tar.TypeReg, int64(len(file.Content))
		}
		if err := archive.WriteHeader(header); err != nil {
			return blob{}, "", fmt.Errorf("packing %s: %w", file.Path, err)
		}
		if _, err := archive.Write(file.Content); err != nil {
			return blob{}, "", fmt.Errorf("packing %s: %w", file.Path, err)
		}
	}
	if err := archive.Close(); err != nil {
		return blob{}, "", err
	}
	diffID = newBlob(plain.Bytes()).digest
	var compressed bytes.Buffer
	z := gzip.NewWriter(&compressed) // Its header has neither name nor time.
	if _, err := z.Write(plain.Bytes()); err != nil {
		return blob{}, "", err
	}
	if err := z.Close(); err != nil {
		return blob{}, "", err
	}
	return newBlob(compressed.Bytes()), diffID, nil
}

// withParents adds directories that are missing, and sorts.
func withParents(files []File) ([]File, error) {
	seen := map[string]File{}
	for _, file := range files {
		if !fs.ValidPath(file.Path) || file.Path == "." {
			return nil, fmt.Errorf("%q is no path in an image", file.Path)
		}
		if _, twice := seen[file.Path]; twice {
			return nil, fmt.Errorf("%s is there twice", file.Path)
		}
		seen[file.Path] = file
	}
	for _, file := range files {
		for dir := path.Dir(file.Path); dir != "."; dir = path.Dir(dir) {
			if _, there := seen[dir]; !there {
				seen[dir] = File{Path: dir, Mode: fs.ModeDir | 0o755}
			}
		}
	}
	all := make([]File, 0, len(seen))
	for _, file := range seen {
		all = append(all, file)
	}
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}
