// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
)

func isMap(v any) bool {
	_, ok := v.(map[string]any)
	return ok
}

func isList(v any) bool {
	_, ok := v.([]any)
	return ok
}

func isContainer(v any) bool { return isMap(v) || isList(v) }

// sameForm tells whether both are maps, or both are lists.
func sameForm(a, b any) bool { return isMap(a) && isMap(b) || isList(a) && isList(b) }

func emptyLike(v any) any {
	if isMap(v) {
		return map[string]any{}
	}
	return []any{}
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	case string:
		return v == ""
	case bool:
		return !v
	default:
		return false
	}
}

// sameLoosely compares what was written with what a target made of it.
func sameLoosely(want, have any) bool {
	if isEmpty(want) && isEmpty(have) {
		return true
	}
	a, okA := quantity(want)
	b, okB := quantity(have)
	return okA && okB && a.Cmp(b) == 0
}

func quantity(v any) (resource.Quantity, bool) {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return resource.Quantity{}, false
	}
	q, err := resource.ParseQuantity(text)
	return q, err == nil
}
