// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package safeyaml reads YAML that tenants write: as sigs.k8s.io/yaml reads it,
// and so Helm and kubectl, but without a way to make much out of little by
// aliases, and with errors that hold nothing of the text.
package safeyaml

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v2"
)

const (
	// MaxDepth bounds how deep maps and lists nest.
	MaxDepth = 100
	// MaxSize bounds a document with its aliases expanded: a byte for each of
	// its characters, and one for each of its values.
	MaxSize = 4 << 20
)

var (
	errDocuments = errors.New("it holds more than one YAML document")
	errDepth     = tooMuch(fmt.Sprintf("it nests deeper than %d levels", MaxDepth))
	errSize      = tooMuch(fmt.Sprintf("it is larger than %d MiB with its aliases expanded", MaxSize>>20))
	errKey       = errors.New("it has a key that is no string, number or boolean")
	errSameKey   = errors.New("it has two keys that are the same when written as strings")
	errText      = errors.New("it holds a string that is not valid UTF-8")
	errNumber    = errors.New("it holds a number that is not finite")
)

// ErrTooMuch is what errors about a bound are: they tell nothing of the text.
var ErrTooMuch = errors.New("too much YAML")

type tooMuch string

func (t tooMuch) Error() string { return string(t) }

func (t tooMuch) Is(target error) bool { return target == ErrTooMuch }

// lineNumber is where the parser stopped. The rest of its text may quote.
var lineNumber = regexp.MustCompile(`line ([0-9]{1,9})\b`)

// Decode reads one YAML or JSON document into a tree of nil, bool, string,
// json.Number, []any and map[string]any. Nothing but comments is nil. Of keys
// that are the same the last one counts.
func Decode(data []byte) (any, error) {
	// Without its own check of UTF-8, for an error that says so.
	if !utf8.Valid(data) {
		return nil, errText
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, next any
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, malformed(err)
	}
	if err := decoder.Decode(&next); err != nil && !errors.Is(err, io.EOF) {
		return nil, malformed(err)
	}
	if next != nil {
		return nil, errDocuments
	}
	c := conversion{room: MaxSize}
	return c.convert(document, 0)
}

func malformed(err error) error {
	if match := lineNumber.FindStringSubmatch(err.Error()); match != nil {
		return fmt.Errorf("it is not YAML: line %s", match[1])
	}
	return errors.New("it is not YAML")
}

// conversion copies what the parser returned, whose aliases share their strings,
// as long as there is room.
type conversion struct {
	room int
}

func (c *conversion) convert(value any, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, errDepth
	}
	if err := c.take(1); err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case nil, bool:
		return v, nil
	case string:
		if !utf8.ValidString(v) {
			return nil, errText
		}
		return v, c.take(len(v))
	case int:
		return json.Number(strconv.Itoa(v)), nil
	case int64:
		return json.Number(strconv.FormatInt(v, 10)), nil
	case uint64:
		return json.Number(strconv.FormatUint(v, 10)), nil
	case float64:
		number, err := json.Marshal(v)
		if err != nil {
			return nil, errNumber
		}
		return json.Number(number), nil
	case []any:
		return c.list(v, depth)
	case map[any]any:
		return c.mapping(v, depth)
	default:
		return nil, errors.New("it holds a value of a type that JSON does not have")
	}
}

func (c *conversion) list(list []any, depth int) (any, error) {
	out := make([]any, len(list))
	for n, element := range list {
		var err error
		if out[n], err = c.convert(element, depth+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *conversion) mapping(m map[any]any, depth int) (any, error) {
	out := make(map[string]any, len(m))
	for key, element := range m {
		name, ok := keyText(key)
		if !ok {
			return nil, errKey
		}
		if _, twice := out[name]; twice {
			return nil, errSameKey
		}
		if err := c.take(len(name)); err != nil {
			return nil, err
		}
		var err error
		if out[name], err = c.convert(element, depth+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *conversion) take(n int) error {
	if n > c.room {
		return errSize
	}
	c.room -= n
	return nil
}

// keyText is a key as a string, as sigs.k8s.io/yaml writes it.
func keyText(key any) (string, bool) {
	switch k := key.(type) {
	case string:
		return k, utf8.ValidString(k)
	case int:
		return strconv.Itoa(k), true
	case int64:
		return strconv.FormatInt(k, 10), true
	case float64:
		return strconv.FormatFloat(k, 'g', -1, 32), true
	case bool:
		return strconv.FormatBool(k), true
	default:
		return "", false
	}
}
