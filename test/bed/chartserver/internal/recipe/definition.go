// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package recipe

import (
	"fmt"
	"strings"
)

// definition describes one CustomResourceDefinition.
type definition struct {
	Kind       string   `json:"kind"`
	Group      string   `json:"group"`
	Plural     string   `json:"plural"`
	ListKind   string   `json:"listKind,omitempty"`
	ShortNames []string `json:"shortNames,omitempty"`
	Categories []string `json:"categories,omitempty"`
	Scope      string   `json:"scope,omitempty"` // default Namespaced
	// Versions, the first of them stored.
	Versions []version `json:"versions"`
	// Schema is that of all versions which bring none of their own.
	Schema map[string]any `json:"schema,omitempty"`
	// Open names the top-level fields that keep what the schema does not know.
	Open []string `json:"open,omitempty"`
}

type version struct {
	Name       string         `json:"name"`
	Deprecated bool           `json:"deprecated,omitempty"`
	Status     bool           `json:"status,omitempty"`
	Scale      map[string]any `json:"scale,omitempty"`
	// Columns are written NAME: type path.
	Columns []string       `json:"columns,omitempty"`
	Schema  map[string]any `json:"schema,omitempty"`
}

func (d *definition) object(shapes *shapes, metadata map[string]any) (map[string]any, error) {
	if d.Kind == "" || d.Group == "" || d.Plural == "" || len(d.Versions) == 0 {
		return nil, fmt.Errorf("kind, group, plural and versions are required")
	}
	names := map[string]any{
		"kind":     d.Kind,
		"listKind": d.Kind + "List",
		"plural":   d.Plural,
		"singular": strings.ToLower(d.Kind),
	}
	if d.ListKind != "" {
		names["listKind"] = d.ListKind
	}
	if len(d.ShortNames) > 0 {
		names["shortNames"] = d.ShortNames
	}
	if len(d.Categories) > 0 {
		names["categories"] = d.Categories
	}
	scope := d.Scope
	if scope == "" {
		scope = "Namespaced"
	}
	versions := make([]any, 0, len(d.Versions))
	for i := range d.Versions {
		v, err := d.version(i, shapes)
		if err != nil {
			return nil, fmt.Errorf("version %s: %w", d.Versions[i].Name, err)
		}
		versions = append(versions, v)
	}
	meta := map[string]any{
		"name":        d.Plural + "." + d.Group,
		"annotations": map[string]any{"controller-gen.kubebuilder.io/version": "v0.13.0"},
	}
	for key, value := range metadata {
		meta[key] = value
	}
	return map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1",
		"kind":       "CustomResourceDefinition",
		"metadata":   meta,
		"spec": map[string]any{
			"group":    d.Group,
			"names":    names,
			"scope":    scope,
			"versions": versions,
		},
	}, nil
}

func (d *definition) version(index int, shapes *shapes) (map[string]any, error) {
	v := &d.Versions[index]
	fields := v.Schema
	if fields == nil {
		fields = d.Schema
	}
	schema, err := shapes.object(fields)
	if err != nil {
		return nil, err
	}
	properties, _ := schema["properties"].(map[string]any)
	if properties == nil {
		properties = map[string]any{}
		schema["properties"] = properties
	}
	for _, name := range d.Open {
		property, ok := properties[name].(map[string]any)
		if !ok {
			property = map[string]any{"type": "object"}
			properties[name] = property
		}
		property["x-kubernetes-preserve-unknown-fields"] = true
	}
	properties["apiVersion"] = map[string]any{"type": "string", "description": "The version of the schema that this object follows; the server may convert it to a newer one."}
	properties["kind"] = map[string]any{"type": "string", "description": "The kind of the object. It cannot be changed."}
	properties["metadata"] = map[string]any{"type": "object"}
	schema["description"] = d.Kind + " of " + d.Group + "."

	out := map[string]any{
		"name":    v.Name,
		"served":  true,
		"storage": index == 0,
		"schema":  map[string]any{"openAPIV3Schema": schema},
	}
	if v.Deprecated {
		out["deprecated"] = true
	}
	subresources := map[string]any{}
	if v.Status {
		subresources["status"] = map[string]any{}
	}
	if v.Scale != nil {
		subresources["scale"] = v.Scale
	}
	if len(subresources) > 0 {
		out["subresources"] = subresources
	}
	columns, err := columns(v.Columns)
	if err != nil {
		return nil, err
	}
	if len(columns) > 0 {
		out["additionalPrinterColumns"] = columns
	}
	return out, nil
}

func columns(lines []string) ([]any, error) {
	var out []any
	for _, line := range lines {
		name, rest, ok := strings.Cut(line, ": ")
		kind, path, ok2 := strings.Cut(rest, " ")
		if !ok || !ok2 {
			return nil, fmt.Errorf("column %q is not written NAME: type path", line)
		}
		out = append(out, map[string]any{"name": name, "type": kind, "jsonPath": path})
	}
	return out, nil
}
