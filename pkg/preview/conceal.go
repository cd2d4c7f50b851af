// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"fmt"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	// Redacted stands for what is secret, and redactedChanged for what is and is
	// another value than before. How long it is, is not told either.
	Redacted        = "<redacted>"
	redactedChanged = "<redacted, changed>"
)

// Conceal returns an object without what is secret.
func Conceal(obj *unstructured.Unstructured, hide func(string) string) *unstructured.Unstructured {
	_, out := concealed(nil, obj, hide)
	return out
}

// concealed returns two versions of an object without what is secret; either may
// be nil. Where they differ in what is secret, the second says so.
func concealed(before, after *unstructured.Unstructured, hide func(string) string) (a, b *unstructured.Unstructured) {
	c := concealer{hide: hide}
	if hide == nil {
		c.hide = func(s string) string { return s }
	}
	for _, obj := range []*unstructured.Unstructured{before, after} {
		c.secret = c.secret || obj != nil && obj.GroupVersionKind().GroupKind() == secretKind
	}
	var x, y any
	switch {
	case before == nil && after == nil:
		return nil, nil
	case before == nil:
		y = c.one(after.Object, nil)
	case after == nil:
		x = c.one(before.Object, nil)
	default:
		x, y = c.both(before.Object, after.Object, nil)
	}
	return wrap(x), wrap(y)
}

func wrap(content any) *unstructured.Unstructured {
	fields, ok := content.(map[string]any)
	if !ok {
		return nil
	}
	return &unstructured.Unstructured{Object: fields}
}

// concealer replaces what is secret. path leads to a value.
type concealer struct {
	// secret is true for a Secret.
	secret bool
	hide   func(string) string
}

// hidden tells whether all at a place is secret.
func (c concealer) hidden(path []string) bool {
	if !c.secret || len(path) == 0 {
		return false
	}
	switch path[0] {
	case "data", "stringData":
		return true
	case "metadata":
		// It repeats the whole object.
		return len(path) == 3 && path[1] == "annotations" && path[2] == corev1.LastAppliedConfigAnnotation
	}
	return false
}

// one copies a value without what is secret.
func (c concealer) one(value any, path []string) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, child := range v {
			out[key] = c.one(child, below(path, key))
		}
		return out
	case []any:
		out := make([]any, len(v))
		for n, child := range v {
			out[n] = c.one(child, path)
		}
		return out
	case string:
		if c.hidden(path) {
			return Redacted
		}
		return c.hide(v)
	case nil, bool:
		if c.hidden(path) {
			return Redacted
		}
		return v
	default:
		text := fmt.Sprint(v)
		if c.hidden(path) || c.hide(text) != text {
			return Redacted
		}
		return v
	}
}

// both copies two values.
func (c concealer) both(before, after any, path []string) (a, b any) {
	if x, ok := before.(map[string]any); ok {
		if y, ok := after.(map[string]any); ok {
			return c.maps(x, y, path)
		}
	}
	if x, ok := before.([]any); ok {
		if y, ok := after.([]any); ok {
			return c.lists(x, y, path)
		}
	}
	a, b = c.one(before, path), c.one(after, path)
	if text, ok := b.(string); ok && reflect.DeepEqual(a, b) && !reflect.DeepEqual(before, after) {
		b = strings.Replace(text, Redacted, redactedChanged, 1)
	}
	return a, b
}

func (c concealer) maps(before, after map[string]any, path []string) (a, b map[string]any) {
	a, b = make(map[string]any, len(before)), make(map[string]any, len(after))
	for key, x := range before {
		if y, found := after[key]; found {
			a[key], b[key] = c.both(x, y, below(path, key))
		} else {
			a[key] = c.one(x, below(path, key))
		}
	}
	for key, y := range after {
		if _, found := before[key]; !found {
			b[key] = c.one(y, below(path, key))
		}
	}
	return a, b
}

func (c concealer) lists(before, after []any, path []string) (a, b []any) {
	a, b = make([]any, len(before)), make([]any, len(after))
	for n := range max(len(before), len(after)) {
		switch {
		case n >= len(after):
			a[n] = c.one(before[n], path)
		case n >= len(before):
			b[n] = c.one(after[n], path)
		default:
			a[n], b[n] = c.both(before[n], after[n], path)
		}
	}
	return a, b
}

// below returns the path to a child, apart from those to its siblings.
func below(path []string, key string) []string {
	return append(path[:len(path):len(path)], key)
}
