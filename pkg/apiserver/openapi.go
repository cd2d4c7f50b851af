// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	apiopenapi "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	openapicommon "k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"ksit.io/ksit/pkg/apis/ksit/scheme"
	"ksit.io/ksit/pkg/generated/openapi"
	"ksit.io/ksit/pkg/version"
)

// title heads both published documents.
const title = "KSIT"

// modelPrefix begins the names of the models of ksit.io.
const modelPrefix = "io.ksit."

// applyOpenAPI publishes the schema of every type, as OpenAPI v2 for old clients
// and as v3, from which server-side apply and kubectl explain work.
func applyOpenAPI(config *genericapiserver.Config, set *scheme.Set) {
	namer := apiopenapi.NewDefinitionNamer(set.Scheme)
	release := version.Get().GitVersion

	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	config.OpenAPIConfig.Info.Title = title
	config.OpenAPIConfig.Info.Version = release

	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)
	config.OpenAPIV3Config.Info.Title = title
	config.OpenAPIV3Config.Info.Version = release
}

// definitions are the generated ones, with the free-form fields of ksit.io as
// every consumer understands them: an object that keeps what its schema does not
// name. The generator writes a reference to RawExtension, which to server-side
// apply, policies and kubectl explain is an object without fields.
func definitions(ref openapicommon.ReferenceCallback) map[string]openapicommon.OpenAPIDefinition {
	raw := ref(runtime.RawExtension{}.OpenAPIModelName())
	all := openapi.GetOpenAPIDefinitions(ref)
	for name, definition := range all {
		if !strings.HasPrefix(name, modelPrefix) {
			continue
		}
		for field, schema := range definition.Schema.Properties {
			if schema.Ref.String() != raw.String() {
				continue
			}
			definition.Schema.Properties[field] = spec.Schema{
				VendorExtensible: spec.VendorExtensible{Extensions: spec.Extensions{"x-kubernetes-preserve-unknown-fields": true}},
				SchemaProps:      spec.SchemaProps{Description: schema.Description, Type: []string{"object"}},
			}
		}
	}
	return all
}
