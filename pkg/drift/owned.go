// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"bytes"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// ownedBy returns the fields that a manager applied, out of the managed fields
// of an object.
func ownedBy(obj *unstructured.Unstructured, manager string) (*fieldpath.Set, error) {
	owned := fieldpath.NewSet()
	for _, entry := range obj.GetManagedFields() {
		if entry.Manager != manager || entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		if err := owned.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())); err != nil {
			return nil, fmt.Errorf("reading the managed fields: %w", err)
		}
	}
	return owned, nil
}

// guessOwned returns the fields of an object that was not applied by the target.
// Its schema is not known: elements of lists are told apart by their names, and
// lists without such are taken as a whole.
func guessOwned(obj *unstructured.Unstructured) *fieldpath.Set {
	fields := map[string]any{}
	for key, v := range obj.Object {
		switch key {
		case "apiVersion", "kind":
		case "metadata":
			metadata, _ := v.(map[string]any)
			kept := map[string]any{}
			for k, m := range metadata {
				if k != "name" && k != "namespace" {
					kept[k] = m
				}
			}
			if len(kept) > 0 {
				fields[key] = kept
			}
		default:
			fields[key] = v
		}
	}
	owned := fieldpath.NewSet()
	guess(owned, fields)
	return owned
}

func guess(into *fieldpath.Set, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			enter(into, fieldpath.FieldNameElement(key), child)
		}
	case []any:
		for _, child := range v {
			enter(into, nameElement(child), child)
		}
	}
}

// enter takes a child as a whole, or what is in it.
func enter(into *fieldpath.Set, pe fieldpath.PathElement, child any) {
	switch c := child.(type) {
	case map[string]any:
		if len(c) > 0 {
			guess(into.Children.Descend(pe), c)
			return
		}
	case []any:
		if named(c) {
			guess(into.Children.Descend(pe), c)
			return
		}
	}
	into.Members.Insert(pe)
}

func nameElement(element any) fieldpath.PathElement {
	m, _ := element.(map[string]any)
	return fieldpath.KeyElement(value.Field{Name: "name", Value: value.NewValueInterface(m["name"])})
}

// named tells whether the elements of a list can be told apart by their names.
func named(list []any) bool {
	names := map[string]bool{}
	for _, element := range list {
		m, _ := element.(map[string]any)
		name, ok := m["name"].(string)
		if !ok || names[name] {
			return false
		}
		names[name] = true
	}
	return len(list) > 0
}

// find returns what a path element selects, and its index where it is in a list.
func find(container any, pe fieldpath.PathElement) (child any, index int, found bool) {
	switch c := container.(type) {
	case map[string]any:
		if pe.FieldName != nil {
			child, found = c[*pe.FieldName]
			return child, -1, found
		}
	case []any:
		for i, element := range c {
			if selects(pe, element) {
				return element, i, true
			}
		}
	}
	return nil, -1, false
}

func selects(pe fieldpath.PathElement, element any) bool {
	switch {
	case pe.Value != nil:
		return value.Equals(*pe.Value, value.NewValueInterface(element))
	case pe.Key != nil:
		m, ok := element.(map[string]any)
		if !ok {
			return false
		}
		for _, field := range *pe.Key {
			// Numbers of JSON may be floats on one side.
			if !value.Equals(field.Value, value.NewValueInterface(m[field.Name])) {
				return false
			}
		}
		return true
	default:
		return false
	}
}
