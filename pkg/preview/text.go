// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const (
	// contextLines are shown around what changes.
	contextLines = 3
	// maxLines bounds what is compared line by line: the time that takes can grow
	// with the square of it.
	maxLines = 20000
)

// cleaned returns an object without what the API server keeps by itself.
func cleaned(obj *unstructured.Unstructured) *unstructured.Unstructured {
	out := obj.DeepCopy()
	delete(out.Object, "status")
	if metadata, ok := out.Object["metadata"].(map[string]any); ok {
		for _, field := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"} {
			delete(metadata, field)
		}
	}
	return out
}

// diffText is the unified diff from one object to another as YAML; nil stands for
// one that is not there. What is secret is replaced on both sides.
func diffText(before, after *unstructured.Unstructured, hide func(string) string) string {
	before, after = concealed(before, after, hide)
	a, b := lines(before), lines(after)
	var text string
	switch {
	case before == nil:
		text = whole("+", b)
	case after == nil:
		text = whole("-", a)
	case len(a) > maxLines || len(b) > maxLines:
		text = "(too large to be compared line by line)\n"
	default:
		// The error is that of writing to a buffer.
		text, _ = difflib.GetUnifiedDiffString(difflib.UnifiedDiff{A: a, B: b, Context: contextLines})
	}
	if hide != nil {
		// Once more, for what stands in keys.
		text = hide(text)
	}
	return text
}

func whole(sign string, lines []string) string {
	var out strings.Builder
	for _, line := range lines {
		out.WriteString(sign)
		out.WriteString(line)
	}
	return out.String()
}

func lines(obj *unstructured.Unstructured) []string {
	if obj == nil {
		return nil
	}
	text, err := yaml.Marshal(obj.Object)
	if err != nil {
		return []string{"(cannot be written as YAML)\n"}
	}
	all := strings.SplitAfter(string(text), "\n")
	return all[:len(all)-1] // What is after the last line break is empty.
}
