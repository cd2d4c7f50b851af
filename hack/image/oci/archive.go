// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package oci

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	mediaTypeIndex    = "application/vnd.oci.image.index.v1+json"
	mediaTypeManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaTypeConfig   = "application/vnd.oci.image.config.v1+json"
	mediaTypeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type index struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Manifests     []descriptor      `json:"manifests"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type imageConfig struct {
	Created string `json:"created"`
	platform
	Config  Config    `json:"config"`
	RootFS  rootFS    `json:"rootfs"`
	History []history `json:"history"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	Created   string `json:"created"`
	CreatedBy string `json:"created_by"`
}

// dockerManifest is the entry of an image in the file by which docker load finds
// its parts.
type dockerManifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// WriteArchive writes an archive of the images, one for each platform, under the
// name NAME:TAG, and returns the digest by which a registry would know them: that
// of the image, or of the index if there are several. docker load, which loads one
// of them, finds the first.
func WriteArchive(w io.Writer, name string, images []Image) (digest string, err error) {
	if len(images) == 0 {
		return "", errors.New("an archive needs an image")
	}
	_, tag, tagged := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], ":")
	if !tagged || tag == "" {
		return "", fmt.Errorf("the name %q has no tag", name)
	}
	a := &archive{present: map[string]bool{}}
	var manifests []descriptor
	var docker dockerManifest
	for i, image := range images {
		packed, forDocker, err := a.addImage(image)
		if err != nil {
			return "", fmt.Errorf("packing the image for %s/%s: %w", image.OS, image.Architecture, err)
		}
		if i == 0 {
			docker = forDocker
		}
		manifests = append(manifests, packed)
	}
	top := manifests[0]
	if len(manifests) > 1 {
		if top, err = a.addJSON(mediaTypeIndex, index{
			SchemaVersion: 2, MediaType: mediaTypeIndex, Manifests: manifests, Annotations: annotations(images[0]),
		}); err != nil {
			return "", err
		}
	}
	digest = top.Digest
	// The one is the specification's, the other containerd's, which wants the
	// whole name.
	top.Annotations = map[string]string{"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": name}
	docker.RepoTags = []string{name}
	for _, file := range []struct {
		name  string
		value any
	}{
		{"index.json", index{SchemaVersion: 2, MediaType: mediaTypeIndex, Manifests: []descriptor{top}}},
		{"manifest.json", []dockerManifest{docker}},
		{"oci-layout", map[string]string{"imageLayoutVersion": "1.0.0"}},
	} {
		data, err := json.Marshal(file.value)
		if err != nil {
			return "", err
		}
		a.entries = append(a.entries, entry{file.name, data})
	}
	return digest, a.write(w, images[0].Created)
}

type entry struct {
	name string
	data []byte
}

// archive gathers the files of a layout.
type archive struct {
	entries []entry
	present map[string]bool
}

func blobPath(digest string) string { return "blobs/" + strings.Replace(digest, ":", "/", 1) }

func (a *archive) add(mediaType string, b blob) descriptor {
	if !a.present[b.digest] {
		a.present[b.digest] = true
		a.entries = append(a.entries, entry{blobPath(b.digest), b.data})
	}
	return descriptor{MediaType: mediaType, Digest: b.digest, Size: len(b.data)}
}

func (a *archive) addJSON(mediaType string, value any) (descriptor, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return descriptor{}, err
	}
	return a.add(mediaType, newBlob(data)), nil
}

func (a *archive) addImage(image Image) (descriptor, dockerManifest, error) {
	created := image.Created.UTC().Format(time.RFC3339)
	p := platform{OS: image.OS, Architecture: image.Architecture}
	config := imageConfig{Created: created, platform: p, Config: image.Config, RootFS: rootFS{Type: "layers"}}
	m := manifest{SchemaVersion: 2, MediaType: mediaTypeManifest, Annotations: annotations(image)}
	var docker dockerManifest
	for _, files := range image.Layers {
		packed, diffID, err := layer(files, image.Created)
		if err != nil {
			return descriptor{}, docker, err
		}
		m.Layers = append(m.Layers, a.add(mediaTypeLayer, packed))
		docker.Layers = append(docker.Layers, blobPath(packed.digest))
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID)
		config.History = append(config.History, history{Created: created, CreatedBy: "hack/image"})
	}
	var err error
	if m.Config, err = a.addJSON(mediaTypeConfig, config); err != nil {
		return descriptor{}, docker, err
	}
	docker.Config = blobPath(m.Config.Digest)
	packed, err := a.addJSON(mediaTypeManifest, m)
	packed.Platform = &p
	return packed, docker, err
}

// annotations are the labels that say what an image is, for those who see only its
// manifest.
func annotations(image Image) map[string]string { return image.Config.Labels }

func (a *archive) write(w io.Writer, created time.Time) error {
	out := tar.NewWriter(w)
	for _, e := range a.entries {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: 0o644, Size: int64(len(e.data)), ModTime: created, Format: tar.FormatPAX}
		if err := out.WriteHeader(header); err != nil {
			return fmt.Errorf("writing %s: %w", e.name, err)
		}
		if _, err := out.Write(e.data); err != nil {
			return fmt.Errorf("writing %s: %w", e.name, err)
		}
	}
	return out.Close()
}
