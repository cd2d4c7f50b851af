// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package chartserver

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// The OCI distribution API, as far as pulling a chart needs it.
const (
	artifactsPrefix = "/v2/"

	mediaTypeManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaTypeConfig   = "application/vnd.cncf.helm.config.v1+json"
	mediaTypeContent  = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

	mediaTypeProvenance = "application/vnd.cncf.helm.chart.provenance.v1.prov"
	mediaTypePayload    = "application/vnd.dev.cosign.simplesigning.v1+json"
	mediaTypeImage      = "application/vnd.oci.image.config.v1+json"
)

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`

	Annotations map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

func describe(mediaType string, data []byte) descriptor {
	return descriptor{MediaType: mediaType, Digest: "sha256:" + digestOf(data), Size: len(data)}
}

// publishArtifacts makes the documents of one chart's OCI repository.
func (s *Server) publishArtifacts(versions []*archive) error {
	if len(versions) == 0 {
		return nil
	}
	name := path.Join(versions[0].repository, versions[0].name)
	root := artifactsPrefix + name
	tags := make([]string, 0, len(versions))
	for _, a := range versions {
		config, err := json.Marshal(a.metadata)
		if err != nil {
			return fmt.Errorf("artifact %s %s: %w", name, a.version, err)
		}
		m := manifest{
			SchemaVersion: 2,
			MediaType:     mediaTypeManifest,
			Config:        describe(mediaTypeConfig, config),
			Layers:        []descriptor{describe(mediaTypeContent, a.data)},
			Annotations: map[string]string{
				"org.opencontainers.image.created": released().Format(time.RFC3339),
				"org.opencontainers.image.title":   a.name,
				"org.opencontainers.image.version": a.version,
			},
		}
		if a.provenance != nil {
			m.Layers = append(m.Layers, s.publishBlob(root, mediaTypeProvenance, a.provenance))
		}
		data, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("artifact %s %s: %w", name, a.version, err)
		}
		// A tag may not have a plus, which versions may: Helm writes _ for it.
		tag := strings.ReplaceAll(a.version, "+", "_")
		tags = append(tags, tag)
		digest := s.publishManifest(root, tag, data)
		s.publishBlob(root, mediaTypeConfig, config)
		s.publishBlob(root, mediaTypeContent, a.data)
		if err := s.cosign(name, digest); err != nil {
			return fmt.Errorf("signing artifact %s %s: %w", name, a.version, err)
		}
	}
	slices.Sort(tags)
	list, err := json.Marshal(map[string]any{"name": name, "tags": tags})
	if err != nil {
		return fmt.Errorf("tags of %s: %w", name, err)
	}
	s.documents[root+"/tags/list"] = newDocument("application/json", list)
	return nil
}

func (s *Server) publishManifest(root, tag string, data []byte) (digest string) {
	doc := newDocument(mediaTypeManifest, data)
	digest = describe("", data).Digest
	s.documents[root+"/manifests/"+tag] = doc
	s.documents[root+"/manifests/"+digest] = doc
	return digest
}

func (s *Server) publishBlob(root, mediaType string, data []byte) descriptor {
	blob := describe(mediaType, data)
	s.documents[root+"/blobs/"+blob.Digest] = newDocument("application/octet-stream", data)
	return blob
}

// cosign puts a signature of a manifest where cosign puts it: under a tag made
// of the digest.
func (s *Server) cosign(name, digest string) error {
	tag := strings.ReplaceAll(digest, ":", "-") + ".sig"
	root := artifactsPrefix + name
	if s.signer == nil || s.documents[root+"/manifests/"+tag].data != nil {
		return nil
	}
	payload, signature, err := s.signer.cosign(name, digest)
	if err != nil {
		return err
	}
	layer := s.publishBlob(root, mediaTypePayload, payload)
	layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": signature}
	data, err := json.Marshal(manifest{
		SchemaVersion: 2,
		MediaType:     mediaTypeManifest,
		Config:        s.publishBlob(root, mediaTypeImage, []byte("{}")),
		Layers:        []descriptor{layer},
	})
	if err != nil {
		return err
	}
	s.publishManifest(root, tag, data)
	return nil
}
