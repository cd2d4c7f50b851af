// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package recipe

import (
	"fmt"
	"sort"
	"strings"
)

// schema is a fragment of an OpenAPI v3 schema. Fragments are shared between
// the places that use them, so nothing may change one once it is made; the
// definition's own top-level properties are always made anew.
type schema = map[string]any

// shapes turns the notation of a recipe into schemas.
type shapes struct {
	types  map[string]any    // as the recipe has them
	made   map[string]schema // the recipe's types, done
	making map[string]bool   // guards against types that contain themselves
	native *natives
}

func newShapes(types map[string]any) (*shapes, error) {
	s := &shapes{types: types, made: map[string]schema{}, making: map[string]bool{}, native: newNatives()}
	names := make([]string, 0, len(types))
	for name := range types {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if _, err := s.own(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// own returns a type of the recipe.
func (s *shapes) own(name string) (schema, error) {
	if done, ok := s.made[name]; ok {
		return done, nil
	}
	value, ok := s.types[name]
	if !ok {
		return nil, fmt.Errorf("type $%s is not among the recipe's types", name)
	}
	if s.making[name] {
		return nil, fmt.Errorf("type $%s contains itself", name)
	}
	s.making[name] = true
	out, err := s.value(value)
	if err != nil {
		return nil, fmt.Errorf("type $%s: %w", name, err)
	}
	s.made[name] = out
	return out, nil
}

// object returns the schema of an object with the given fields.
func (s *shapes) object(fields map[string]any) (schema, error) {
	properties := make(map[string]any, len(fields))
	var required []string
	for key, value := range fields {
		name, must := strings.CutSuffix(key, "!")
		name, list := strings.CutSuffix(name, "[]")
		name, dict := strings.CutSuffix(name, "{}")
		property, err := s.value(value)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", name, err)
		}
		switch {
		case list:
			property = schema{"type": "array", "items": property}
		case dict:
			property = schema{"type": "object", "additionalProperties": property}
		}
		properties[name] = property
		if must {
			required = append(required, name)
		}
	}
	out := schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		sort.Strings(required)
		out["required"] = required
	}
	return out, nil
}

func (s *shapes) value(value any) (schema, error) {
	switch v := value.(type) {
	case nil:
		return s.named("string")
	case map[string]any:
		return s.object(v)
	case string:
		notation, description, _ := strings.Cut(v, " - ")
		out, err := s.named(strings.TrimSpace(notation))
		if err != nil || description == "" {
			return out, err
		}
		described := make(schema, len(out)+1)
		for key, val := range out {
			described[key] = val
		}
		described["description"] = description
		return described, nil
	default:
		return nil, fmt.Errorf("%v is neither a type nor an object", value)
	}
}

// named returns the schema of a type notation.
func (s *shapes) named(notation string) (schema, error) {
	if rest, ok := strings.CutPrefix(notation, "[]"); ok {
		items, err := s.named(rest)
		if err != nil {
			return nil, err
		}
		return schema{"type": "array", "items": items}, nil
	}
	if rest, ok := strings.CutPrefix(notation, "map[string]"); ok {
		values, err := s.named(rest)
		if err != nil {
			return nil, err
		}
		return schema{"type": "object", "additionalProperties": values}, nil
	}
	if rest, ok := strings.CutPrefix(notation, "$"); ok {
		return s.own(rest)
	}
	if rest, ok := strings.CutPrefix(notation, "enum("); ok {
		return schema{"type": "string", "enum": strings.Split(strings.TrimSuffix(rest, ")"), "|")}, nil
	}
	if strings.Contains(notation, ".") {
		return s.native.named(notation)
	}
	if out := basic(notation); out != nil {
		return out, nil
	}
	return nil, fmt.Errorf("unknown type %q", notation)
}

// basic returns the schema of a plain type, nil if there is none of the name.
func basic(name string) schema {
	switch name {
	case "string":
		return schema{"type": "string"}
	case "bool":
		return schema{"type": "boolean"}
	case "int":
		return schema{"type": "integer"}
	case "int32", "int64":
		return schema{"type": "integer", "format": name}
	case "number":
		return schema{"type": "number"}
	case "any":
		return schema{"x-kubernetes-preserve-unknown-fields": true}
	case "object":
		return schema{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	case "time":
		return schema{"type": "string", "format": "date-time"}
	case "duration":
		return schema{"type": "string", "pattern": `^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$`}
	case "quantity":
		return schema{
			"anyOf":                      []any{schema{"type": "integer"}, schema{"type": "string"}},
			"pattern":                    `^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$`,
			"x-kubernetes-int-or-string": true,
		}
	case "intOrString":
		return schema{
			"anyOf":                      []any{schema{"type": "integer"}, schema{"type": "string"}},
			"x-kubernetes-int-or-string": true,
		}
	default:
		return nil
	}
}
