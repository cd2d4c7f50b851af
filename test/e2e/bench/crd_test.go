// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"

	"ksit.io/ksit/test/bed"
	"ksit.io/ksit/test/e2e/internal/poll"
)

const (
	crdGroup   = "bench.ksit.io"
	crdVersion = "v1alpha1"
)

// createCRD gives the host a CRD with the very schema that KSIT publishes for
// Integration. It has no defaults and no validation rules, and so less to do
// than KSIT has.
func createCRD(b *testing.B, on *bed.Bed, run *bed.KSIT, host kubernetes.Interface) {
	b.Helper()
	// KSIT is asked itself: the host takes its time to fetch what it aggregates.
	ksit, err := kubernetes.NewForConfig(directConfig(on, run))
	if err != nil {
		b.Fatal(err)
	}
	data, err := ksit.Discovery().RESTClient().Get().AbsPath("/openapi/v3/apis/ksit.io/v1alpha1").Do(b.Context()).Raw()
	if err != nil {
		b.Fatalf("reading KSIT's OpenAPI: %v", err)
	}
	var document struct {
		Components struct{ Schemas map[string]map[string]any }
	}
	if err := json.Unmarshal(data, &document); err != nil {
		b.Fatalf("reading KSIT's OpenAPI: %v", err)
	}
	var schema map[string]any
	for name := range document.Components.Schemas {
		if strings.HasSuffix(name, ".v1alpha1.Integration") {
			schema, err = structural(document.Components.Schemas, document.Components.Schemas[name], 0)
		}
	}
	if err != nil || schema == nil {
		b.Fatalf("making a schema for the CRD: %v", err)
	}
	// The rest of these three is the API server's own business.
	properties := schema["properties"].(map[string]any)
	properties["metadata"] = map[string]any{"type": "object"}
	properties["apiVersion"] = map[string]any{"type": "string"}
	properties["kind"] = map[string]any{"type": "string"}

	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1",
		"kind":       "CustomResourceDefinition",
		"metadata":   map[string]any{"name": "integrations." + crdGroup},
		"spec": map[string]any{
			"group": crdGroup,
			"scope": "Namespaced",
			"names": map[string]any{"kind": "Integration", "listKind": "IntegrationList", "plural": "integrations", "singular": "integration"},
			"versions": []any{map[string]any{
				"name": crdVersion, "served": true, "storage": true,
				"schema":       map[string]any{"openAPIV3Schema": schema},
				"subresources": map[string]any{"status": map[string]any{}},
			}},
		},
	}}
	if err := on.Host.ApplyObjects(b.Context(), crd); err != nil {
		b.Fatal(err)
	}
	if err := poll.Until(b.Context(), time.Minute, func(ctx context.Context) error {
		return host.Discovery().RESTClient().Get().AbsPath("/apis", crdGroup, crdVersion, "integrations").Do(ctx).Error()
	}); err != nil {
		b.Fatalf("waiting for the CRD to be served: %v", err)
	}
}

// kept are the parts of a schema that mean something in a CRD's as well.
var kept = []string{
	"type", "format", "description", "enum", "required", "nullable",
	"x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string",
	"x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
}

// structural writes out the references of a schema, and leaves out what a CRD's
// may not have.
func structural(all map[string]map[string]any, schema map[string]any, depth int) (map[string]any, error) {
	if depth > 20 {
		return nil, fmt.Errorf("the schema refers to itself")
	}
	reference, _ := schema["$ref"].(string)
	if parts, ok := schema["allOf"].([]any); ok && len(parts) == 1 {
		reference, _ = parts[0].(map[string]any)["$ref"].(string)
	}
	result := map[string]any{}
	if reference != "" {
		name := strings.TrimPrefix(reference, "#/components/schemas/")
		if all[name] == nil {
			return nil, fmt.Errorf("there is no schema %s", name)
		}
		resolved, err := structural(all, all[name], depth+1)
		if err != nil {
			return nil, err
		}
		result = resolved
	}
	for _, key := range kept {
		if value, ok := schema[key]; ok {
			result[key] = value
		}
	}
	if properties, ok := schema["properties"].(map[string]any); ok {
		converted := map[string]any{}
		for name, property := range properties {
			// Its fields are the API server's own.
			if depth == 0 && name == "metadata" {
				continue
			}
			child, err := structural(all, property.(map[string]any), depth+1)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			converted[name] = child
		}
		result["properties"] = converted
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if child, ok := schema[key].(map[string]any); ok {
			converted, err := structural(all, child, depth+1)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			result[key] = converted
		}
	}
	return result, nil
}
