// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	apiopenapi "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"

	"ksit.io/ksit/pkg/apis/ksit/openapi"
	"ksit.io/ksit/pkg/apis/ksit/scheme"
	"ksit.io/ksit/pkg/version"
)

// title heads both published documents.
const title = "KSIT"

// applyOpenAPI publishes the schema of every type, as OpenAPI v2 for old clients
// and as v3, from which server-side apply and kubectl explain work.
func applyOpenAPI(config *genericapiserver.Config, set *scheme.Set) {
	namer := apiopenapi.NewDefinitionNamer(set.Scheme)
	release := version.Get().GitVersion

	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(openapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIConfig.Info.Title = title
	config.OpenAPIConfig.Info.Version = release

	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(openapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIV3Config.Info.Title = title
	config.OpenAPIV3Config.Info.Version = release
}
