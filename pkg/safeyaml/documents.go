// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package safeyaml

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Documents reads a stream of YAML documents, or of JSON values, one after the
// other, as kubectl does, and within bounds: see Bounded.
type Documents struct {
	chunks *utilyaml.YAMLReader
	// values are those of a chunk that is JSON.
	values *json.Decoder
}

// NewDocuments reads a stream.
func NewDocuments(stream []byte) *Documents {
	return &Documents{chunks: utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(stream)))}
}

// Next returns the next document as JSON, null for one of nothing but comments,
// and io.EOF after the last. Its other errors may hold a piece of the text, and
// what comes after one is not to be read.
func (d *Documents) Next() (json.RawMessage, error) {
	if d.values != nil {
		var value json.RawMessage
		err := d.values.Decode(&value)
		if !errors.Is(err, io.EOF) {
			return value, err
		}
		d.values = nil
	}
	chunk, err := d.chunks.Read()
	if err != nil {
		return nil, err
	}
	if text := bytes.TrimLeft(bytes.TrimPrefix(chunk, []byte("---")), " \t\r\n"); len(text) > 0 && text[0] == '{' {
		// It is YAML's own way with braces otherwise.
		values := json.NewDecoder(bytes.NewReader(text))
		var value json.RawMessage
		if values.Decode(&value) == nil {
			d.values = values
			return value, nil
		}
	}
	if err := Bounded(chunk); err != nil {
		return nil, err
	}
	return yaml.YAMLToJSON(chunk)
}
