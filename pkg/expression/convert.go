// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

var errTooLarge = errors.New("gives too much: more than 64 KiB, or more than 1 MiB together with those before it")

// conversion makes values of JSON out of those of CEL, as long as there is room.
// Its errors go on from "the expression", and hold nothing of a value.
type conversion struct {
	room int
}

func (c *conversion) convert(value ref.Val) (any, error) {
	if err := c.take(1); err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.String:
		return string(v), c.take(len(v))
	case types.Int:
		return json.Number(strconv.FormatInt(int64(v), 10)), nil
	case types.Uint:
		return json.Number(strconv.FormatUint(uint64(v), 10)), nil
	case types.Double:
		number, err := json.Marshal(float64(v))
		if err != nil {
			return nil, errors.New("gives a number that is not finite")
		}
		return json.Number(number), nil
	case *types.Optional:
		return nil, errors.New(`gives an optional value: end it with .orValue("...")`)
	case traits.Lister:
		return c.list(v)
	case traits.Mapper:
		return c.mapping(v)
	default:
		return nil, fmt.Errorf("gives a value of type %s: make a text of it with string()", value.Type().TypeName())
	}
}

func (c *conversion) list(list traits.Lister) (any, error) {
	out := []any{}
	for it := list.Iterator(); it.HasNext() == types.True; {
		element, err := c.convert(it.Next())
		if err != nil {
			return nil, err
		}
		out = append(out, element)
	}
	return out, nil
}

func (c *conversion) mapping(m traits.Mapper) (any, error) {
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, errors.New("gives a map with a key that is no string")
		}
		if err := c.take(len(name)); err != nil {
			return nil, err
		}
		element, err := c.convert(m.Get(key))
		if err != nil {
			return nil, err
		}
		out[string(name)] = element
	}
	return out, nil
}

func (c *conversion) take(n int) error {
	if n > c.room {
		return errTooLarge
	}
	c.room -= n
	return nil
}

// scalarText is a result as part of a text.
func scalarText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), true
	default:
		return "", false
	}
}

func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case []any:
		return "a list"
	default:
		return "a map"
	}
}
