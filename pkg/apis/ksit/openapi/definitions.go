// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package openapi publishes the OpenAPI definitions of the ksit.io types: the
// generated ones, with what the generator gets wrong put right.
package openapi

import (
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"ksit.io/ksit/pkg/generated/openapi"
)

const preserveUnknownFields = "x-kubernetes-preserve-unknown-fields"

// GetOpenAPIDefinitions returns the definition of every type that the API
// server answers with, by model name. It is what the API server and the
// generator of the apply configurations are given.
func GetOpenAPIDefinitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	definitions := openapi.GetOpenAPIDefinitions(ref)
	for _, definition := range definitions {
		publishFreeForm(definition.Schema.Properties)
	}
	return definitions
}

// publishFreeForm makes of each property that is marked to keep unknown fields
// an object with whatever fields a user likes. The generator makes of a
// runtime.RawExtension a reference to a definition without properties, which
// type checkers of admission policies take for an object that has no fields;
// the mark beside the reference is lost on them, and is a string at that.
func publishFreeForm(properties map[string]spec.Schema) {
	for name, property := range properties {
		if _, marked := property.Extensions[preserveUnknownFields]; !marked {
			continue
		}
		schema := spec.Schema{SchemaProps: spec.SchemaProps{
			Type:        spec.StringOrArray{"object"},
			Description: property.Description,
		}}
		schema.AddExtension(preserveUnknownFields, true)
		properties[name] = schema
	}
}
