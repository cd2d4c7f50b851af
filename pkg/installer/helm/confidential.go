// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// confidential is a string, number, boolean or null that came from a Secret, in
// a tree of values that is being merged. What overrides it is not. The keys
// above it are shown: they are the chart's.
type confidential struct{ value any }

// hiddenValue stands for a confidential value where values are shown.
const hiddenValue = "<redacted>"

// mapLeaves copies a tree with its leaves replaced.
func mapLeaves(value any, leaf func(any) any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, child := range v {
			out[key] = mapLeaves(child, leaf)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for n, child := range v {
			out[n] = mapLeaves(child, leaf)
		}
		return out
	default:
		return leaf(v)
	}
}

// conceal marks every leaf of a tree as confidential.
func conceal(value any) any {
	return mapLeaves(value, func(leaf any) any { return confidential{leaf} })
}

// concealAlike marks in values of another revision, which a release has without
// marks, what is confidential at the same place in marked. It changes neither.
func concealAlike(values, marked any) any {
	switch m := marked.(type) {
	case confidential:
		return conceal(values)
	case map[string]any:
		if v, ok := values.(map[string]any); ok {
			out := make(map[string]any, len(v))
			for key, child := range v {
				out[key] = concealAlike(child, m[key])
			}
			return out
		}
	case []any:
		if v, ok := values.([]any); ok {
			out := make([]any, len(v))
			for n, child := range v {
				if out[n] = child; n < len(m) {
					out[n] = concealAlike(child, m[n])
				}
			}
			return out
		}
	}
	return values
}

// reveal returns the values as the chart gets them.
func reveal(values map[string]any) map[string]any {
	out, _ := mapLeaves(values, func(leaf any) any {
		if c, ok := leaf.(confidential); ok {
			return c.value
		}
		return leaf
	}).(map[string]any)
	return out
}

// show returns the values as people get them: as YAML, with sorted keys, without
// what is confidential, and of at most v1alpha1.MaxStatusValues bytes.
func show(values map[string]any) string {
	shown := mapLeaves(values, func(leaf any) any {
		if _, ok := leaf.(confidential); ok {
			return hiddenValue
		}
		return leaf
	})
	text, err := yaml.Marshal(shown)
	if err != nil {
		// What cannot be written was never installed either.
		return ""
	}
	if len(text) <= v1alpha1.MaxStatusValues {
		return string(text)
	}
	return cutLines(text, v1alpha1.MaxStatusValues)
}

// cutLines returns the first lines of a text, and a last one that says how many
// are missing, together at most limit bytes.
func cutLines(text []byte, limit int) string {
	const note = "# %d more lines are not shown\n"
	room := limit - len(fmt.Sprintf(note, bytes.Count(text, []byte("\n"))))
	end := bytes.LastIndexByte(text[:room], '\n') + 1
	var out strings.Builder
	out.Write(text[:end])
	fmt.Fprintf(&out, note, bytes.Count(text[end:], []byte("\n")))
	return out.String()
}
