// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

func decode[T any](t *testing.T, response *http.Response) *T {
	t.Helper()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the answer is %s", response.Status)
	}
	out := new(T)
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	f := start(t)
	response := f.raw(t, "/openapi/v3/apis/ksit.io/v1alpha1", http.Header{"Accept": {"application/json"}})
	defer response.Body.Close()
	v3 := decode[spec3.OpenAPI](t, response)
	checkModels(t, v3.Components.Schemas)
	checkReferences(t, v3)

	response = f.raw(t, "/openapi/v2", http.Header{"Accept": {"application/json"}})
	defer response.Body.Close()
	v2 := decode[spec.Swagger](t, response)
	schemas := map[string]*spec.Schema{}
	for name, schema := range v2.Definitions {
		schemas[name] = &schema
	}
	checkModels(t, schemas)
}

// checkModels checks that kubectl explain has something to say on every field.
func checkModels(t *testing.T, schemas map[string]*spec.Schema) {
	t.Helper()
	for _, kind := range []string{"Integration", "IntegrationTarget", "Installation"} {
		if schemas["io.ksit.v1alpha1."+kind] == nil {
			t.Errorf("there is no model of %s", kind)
		}
	}
	for name, schema := range schemas {
		if !strings.HasPrefix(name, "io.ksit.") {
			continue
		}
		if schema.Description == "" {
			t.Errorf("%s has no description", name)
		}
		for field, property := range schema.Properties {
			if property.Description == "" {
				t.Errorf("%s.%s has no description", name, field)
			}
		}
	}
	helm := schemas["io.ksit.v1alpha1.HelmConfig"]
	if helm == nil {
		t.Fatal("there is no model of HelmConfig")
	}
	values := helm.Properties["valuesObject"]
	if keep, ok := values.Extensions.GetBool("x-kubernetes-preserve-unknown-fields"); !ok || !keep || !values.Type.Contains("object") {
		t.Errorf("valuesObject is not free-form: %+v", values)
	}
}

// checkReferences checks that everything that the document refers to is in it.
func checkReferences(t *testing.T, document *spec3.OpenAPI) {
	t.Helper()
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	const prefix = `"#/components/schemas/`
	for rest := string(text); ; {
		_, after, found := strings.Cut(rest, prefix)
		if !found {
			return
		}
		name, _, _ := strings.Cut(after, `"`)
		if document.Components.Schemas[name] == nil {
			t.Errorf("the document refers to %s, which it does not hold", name)
		}
		rest = after
	}
}
