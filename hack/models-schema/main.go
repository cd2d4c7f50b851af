// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Command models-schema prints the OpenAPI v2 definitions of the ksit.io types
// as JSON. The generator of the apply configurations reads it: that is where
// the apply configurations have the merge keys of lists from.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"ksit.io/ksit/pkg/apis/ksit/openapi"
)

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "models-schema: %v\n", err)
		os.Exit(1)
	}
}

func write(out io.Writer) error {
	reference := func(name string) spec.Ref {
		return spec.MustCreateRef("#/definitions/" + name)
	}
	definitions := make(spec.Definitions)
	for name, definition := range openapi.GetOpenAPIDefinitions(reference) {
		schema := definition.Schema
		// Version 2 of OpenAPI knows no oneOf: a type that has one carries a
		// schema for it aside.
		if v2, ok := schema.Extensions[common.ExtensionV2Schema]; ok {
			s, ok := v2.(spec.Schema)
			if !ok {
				return fmt.Errorf("definition %s: extension %s is a %T", name, common.ExtensionV2Schema, v2)
			}
			schema = s
		}
		definitions[name] = schema
	}
	document := &spec.Swagger{SwaggerProps: spec.SwaggerProps{
		Swagger:     "2.0",
		Info:        &spec.Info{InfoProps: spec.InfoProps{Title: "ksit.io", Version: "unversioned"}},
		Paths:       &spec.Paths{},
		Definitions: definitions,
	}}
	data, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the definitions: %w", err)
	}
	if _, err := out.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("writing the definitions: %w", err)
	}
	return nil
}
