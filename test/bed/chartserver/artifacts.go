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
)

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
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
		data, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("artifact %s %s: %w", name, a.version, err)
		}
		// A tag may not have a plus, which versions may: Helm writes _ for it.
		tag := strings.ReplaceAll(a.version, "+", "_")
		tags = append(tags, tag)
		doc := newDocument(mediaTypeManifest, data)
		s.documents[root+"/manifests/"+tag] = doc
		s.documents[root+"/manifests/"+describe("", data).Digest] = doc
		s.documents[root+"/blobs/"+m.Config.Digest] = newDocument("application/octet-stream", config)
		s.documents[root+"/blobs/"+m.Layers[0].Digest] = newDocument("application/octet-stream", a.data)
	}
	slices.Sort(tags)
	list, err := json.Marshal(map[string]any{"name": name, "tags": tags})
	if err != nil {
		return fmt.Errorf("tags of %s: %w", name, err)
	}
	s.documents[root+"/tags/list"] = newDocument("application/json", list)
	return nil
}
