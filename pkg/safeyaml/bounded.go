// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package safeyaml

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v2"
)

// Bounded returns an error for a document whose aliases make more of it than
// its own length and MaxSize, or nest it deeper than MaxDepth. It is for what
// another parser reads after it, as sigs.k8s.io/yaml does, which writes all
// aliases out: where it returns nil, the other one is left to find what else is
// wrong. It looks at the first document only, as that one does.
func Bounded(document []byte) error {
	// Without an anchor there is no alias.
	if bytes.IndexByte(document, '&') < 0 || bytes.IndexByte(document, '*') < 0 {
		return nil
	}
	var value any
	if err := yaml.Unmarshal(document, &value); err != nil {
		if strings.Contains(err.Error(), "excessive aliasing") {
			return errSize
		}
		return nil
	}
	m := measure{room: MaxSize + len(document)}
	return m.take(value, 0)
}

// measure is how much room is left for values that are written out.
type measure struct {
	room int
}

func (m *measure) take(value any, depth int) error {
	if depth > MaxDepth {
		return errDepth
	}
	m.room--
	switch v := value.(type) {
	case string:
		m.room -= len(v)
	case []any:
		for _, element := range v {
			if err := m.take(element, depth+1); err != nil {
				return err
			}
		}
	case map[any]any:
		for key, element := range v {
			if err := m.take(key, depth+1); err != nil {
				return err
			}
			if err := m.take(element, depth+1); err != nil {
				return err
			}
		}
	}
	if m.room < 0 {
		return errSize
	}
	return nil
}
