// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"slices"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/object"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const (
	// Annotation, on an object of a target, with the value AnnotationIgnore, has
	// it never compared.
	Annotation       = "ksit.io/drift"
	AnnotationIgnore = "ignore"
	// coreGroup is what a rule calls the group without a name.
	coreGroup = "core"
)

func ignoredByAnnotation(obj *unstructured.Unstructured) bool {
	return obj.GetAnnotations()[Annotation] == AnnotationIgnore
}

// rules say what may change.
type rules []v1alpha1.DriftIgnore

// ignoreObject tells whether an object may change as a whole.
func (r rules) ignoreObject(id object.ObjMetadata) bool {
	return slices.ContainsFunc(r, func(rule v1alpha1.DriftIgnore) bool {
		return len(rule.Paths) == 0 && matches(rule, id)
	})
}

// pointers returns what may change of an object.
func (r rules) pointers(id object.ObjMetadata) []string {
	var all []string
	for _, rule := range r {
		if matches(rule, id) {
			all = append(all, rule.Paths...)
		}
	}
	return all
}

func matches(rule v1alpha1.DriftIgnore, id object.ObjMetadata) bool {
	group := rule.Group
	if group == coreGroup {
		group = ""
	}
	return (rule.Group == "" || group == id.GroupKind.Group) &&
		(rule.Kind == "" || rule.Kind == id.GroupKind.Kind) &&
		(rule.Namespace == "" || rule.Namespace == id.Namespace) &&
		(rule.Name == "" || matchName(rule.Name, id.Name))
}

// matchName tells whether a name fits a pattern, in which a * stands for any
// characters.
func matchName(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	name = name[len(first) : len(name)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		_, rest, found := strings.Cut(name, part)
		if !found {
			return false
		}
		name = rest
	}
	return true
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// below returns the JSON pointer to a member.
func below(pointer, member string) string { return pointer + "/" + pointerEscapes.Replace(member) }

// covers tells whether a JSON pointer is that of a rule, or below it.
func covers(rule, pointer string) bool {
	return pointer == rule || strings.HasPrefix(pointer, rule+"/")
}
