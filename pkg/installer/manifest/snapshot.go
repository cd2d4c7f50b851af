// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

const (
	// maxSnapshotBytes bounds what is kept of the revisions of a release, all of
	// them together. It leaves room within what a Secret may hold.
	maxSnapshotBytes = 900 << 10
	// maxSnapshotJSON bounds what is unpacked from a Secret that anybody on the
	// target may have written.
	maxSnapshotJSON = 64 << 20

	snapshotSuffix = ".json.gz"
)

// snapshot is what one revision consists of: its objects as they are applied,
// except for the labels that say whose they are.
type snapshot struct {
	// Source and Version are shown in the status.
	Source  string           `json:"source,omitempty"`
	Version string           `json:"version,omitempty"`
	Objects []map[string]any `json:"objects"`
}

// snapshotKey is the key under which the revision with a digest is kept.
func snapshotKey(digest string) string {
	return strings.TrimPrefix(digest, "sha256:") + snapshotSuffix
}

func encodeSnapshot(s snapshot) ([]byte, error) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if err := json.NewEncoder(w).Encode(s); err != nil {
		return nil, fmt.Errorf("packing the objects: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing the objects: %w", err)
	}
	return packed.Bytes(), nil
}

func decodeSnapshot(packed []byte) (snapshot, error) {
	damaged := errors.New("it cannot be unpacked")
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return snapshot{}, damaged
	}
	data, err := io.ReadAll(io.LimitReader(reader, maxSnapshotJSON+1))
	if err != nil || len(data) > maxSnapshotJSON {
		return snapshot{}, damaged
	}
	var s snapshot
	if err := utiljson.Unmarshal(data, &s); err != nil {
		return snapshot{}, damaged
	}
	for _, object := range s.Objects {
		if err := check(&unstructured.Unstructured{Object: object}); err != nil {
			return snapshot{}, damaged
		}
	}
	return s, nil
}

// fitting returns which revisions are kept, of those that are given in the order
// of their worth, the new one first: each that fits beside those before it.
func fitting(candidates ...map[string][]byte) map[string][]byte {
	size := func(m map[string][]byte) (n int) {
		for _, packed := range m {
			n += len(packed)
		}
		return n
	}
	fit := map[string][]byte{}
	for _, candidate := range candidates {
		if size(fit)+size(candidate) <= maxSnapshotBytes {
			maps.Copy(fit, candidate)
		}
	}
	return fit
}
