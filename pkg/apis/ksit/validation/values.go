// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"ksit.io/ksit/pkg/apis/ksit"
)

// Bounds of chart values. Values grow when they are merged, rendered and
// stored with the release; what is bounded here bounds all of that.
const (
	maxValues = 256
	// maxValuesBytes bounds values and valuesObject together.
	maxValuesBytes = 256 << 10
	// maxValuesDepth bounds the nesting of both. Rendered as YAML, a value is
	// indented by its depth.
	maxValuesDepth = 30
	// maxListIndex bounds the lists that a key of values makes: an index makes
	// every element before it.
	maxListIndex = 255
)

func validateValues(config *ksit.HelmConfig, path *field.Path) field.ErrorList {
	size := 0
	for key, value := range config.Values {
		size += len(key) + len(value)
	}
	raw, err := rawJSON(config.ValuesObject)
	if err != nil {
		return field.ErrorList{field.Invalid(path.Child("valuesObject"), field.OmitValueType{}, err.Error())}
	}
	if size+len(raw) > maxValuesBytes {
		blamed := path.Child("values")
		if len(raw) > size {
			blamed = path.Child("valuesObject")
		}
		return field.ErrorList{field.Invalid(blamed, field.OmitValueType{}, fmt.Sprintf(
			"values and valuesObject must not be longer than %d bytes together, and are %d", maxValuesBytes, size+len(raw)))}
	}
	errs := validateValueMap(config.Values, path.Child("values"))
	if config.ValuesObject != nil {
		if err := checkValuesObject(raw); err != nil {
			errs = append(errs, field.Invalid(path.Child("valuesObject"), field.OmitValueType{}, err.Error()))
		}
	}
	return errs
}

func validateValueMap(values map[string]string, path *field.Path) field.ErrorList {
	if len(values) > maxValues {
		return field.ErrorList{field.TooMany(path, len(values), maxValues)}
	}
	var errs field.ErrorList
	var root valueNode
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if len(errs) >= maxFaults {
			break
		}
		if key == "" {
			errs = append(errs, field.Invalid(path, key, "a key must not be empty"))
			continue
		}
		steps, err := parseValueKey(key)
		if err == nil {
			err = root.add(steps, key)
		}
		if err == nil && !utf8.ValidString(values[key]) {
			err = errors.New("must be UTF-8")
		}
		if err != nil {
			errs = append(errs, field.Invalid(path.Key(key), field.OmitValueType{}, err.Error()))
		}
	}
	return errs
}

// valueStep is one step into the values: a name in a map, or else an index in
// a list.
type valueStep struct {
	name  string
	index int
}

// isIndex tells the two apart: a name is never empty.
func (s valueStep) isIndex() bool { return s.name == "" }

// parseValueKey reads the key of a helm --set, in which a comma is a character
// like any other. Helm is more forgiving: it drops what has no name, and takes
// what follows an equals sign into the value. Both would do something else than
// the user asked for.
func parseValueKey(key string) ([]valueStep, error) {
	if !utf8.ValidString(key) {
		return nil, errors.New("must be UTF-8")
	}
	var steps []valueStep
	rest := key
	for {
		name, after, err := readName(rest)
		if err != nil {
			return nil, err
		}
		steps = append(steps, valueStep{name: name})
		for strings.HasPrefix(after, "[") {
			digits, tail, closed := strings.Cut(after[1:], "]")
			index, err := strconv.ParseUint(digits, 10, 32)
			if !closed || err != nil || index > maxListIndex {
				return nil, fmt.Errorf("must have an index from 0 to %d between [ and ]; use valuesObject for longer lists", maxListIndex)
			}
			steps = append(steps, valueStep{index: int(index)})
			after = tail
		}
		if len(steps) > maxValuesDepth {
			return nil, fmt.Errorf("must not nest deeper than %d", maxValuesDepth)
		}
		if after == "" {
			return steps, nil
		}
		if after[0] != '.' {
			return nil, errors.New("must have '.', '[' or nothing after an index")
		}
		rest = after[1:]
	}
}

// readName reads a name up to what ends it, and returns it without its escapes.
func readName(key string) (name, rest string, err error) {
	var text strings.Builder
	for i := 0; i < len(key); i++ {
		c := key[i]
		if c == '.' || c == '[' {
			rest = key[i:]
			break
		}
		switch c {
		case '=':
			return "", "", errors.New("must not have a bare '=': write '\\='")
		case '\\':
			i++
			if i == len(key) {
				return "", "", errors.New("must have a character after its last '\\'")
			}
			c = key[i]
		}
		text.WriteByte(c)
	}
	if text.Len() == 0 {
		return "", "", errors.New("must have a name before, between and after its dots; a dot within a name is written '\\.'")
	}
	return text.String(), rest, nil
}

// valueNode is a place in the values, and the key that first led to it.
type valueNode struct {
	children map[valueStep]*valueNode
	key      string
}

// add leads a key into the tree, and fails where another key gives the same
// place a value of another kind: which of them won would be left to chance.
func (n *valueNode) add(steps []valueStep, key string) error {
	node := n
	for i, step := range steps {
		if node != n && node.children == nil {
			return fmt.Errorf("goes into what key %q gives a value to", node.key)
		}
		for other, child := range node.children {
			if other.isIndex() != step.isIndex() {
				return fmt.Errorf("makes a list of what key %q makes a map, or the other way round", child.key)
			}
			break
		}
		if node.children == nil {
			node.children = map[valueStep]*valueNode{}
		}
		child, there := node.children[step]
		if !there {
			child = &valueNode{key: key}
			node.children[step] = child
			// A new node that is not the last has children after the next step.
			if i < len(steps)-1 {
				child.children = map[valueStep]*valueNode{}
			}
		} else if i == len(steps)-1 {
			return fmt.Errorf("gives a value to what key %q gives one to, or goes into", child.key)
		}
		node = child
	}
	return nil
}

// rawJSON returns what a raw extension holds, as JSON; nothing for none.
func rawJSON(extension *runtime.RawExtension) ([]byte, error) {
	switch {
	case extension == nil:
		return nil, nil
	case extension.Raw == nil && extension.Object != nil:
		raw, err := json.Marshal(extension.Object)
		if err != nil {
			return nil, errors.New("must be a JSON object")
		}
		return raw, nil
	default:
		return extension.Raw, nil
	}
}

// checkValuesObject checks that raw is one JSON object, not nested too deep.
func checkValuesObject(raw []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var depth int
	for first := true; ; first = false {
		token, err := decoder.Token()
		switch {
		case errors.Is(err, io.EOF) && !first && depth == 0:
			return nil
		case err != nil:
			return errors.New("must be one whole JSON object")
		case first && token != json.Delim('{'), !first && depth == 0:
			return errors.New("must be one JSON object, like a values.yaml")
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > maxValuesDepth {
			return fmt.Errorf("must not nest deeper than %d", maxValuesDepth)
		}
	}
}
