// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"k8s.io/apimachinery/pkg/runtime/serializer"
	genericapifilters "k8s.io/apiserver/pkg/endpoints/filters"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	genericfilters "k8s.io/apiserver/pkg/server/filters"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/apiserver/pkg/server/routes"
	"k8s.io/component-base/metrics/legacyregistry"

	"ksit.io/ksit/pkg/apis/ksit/scheme"
	"ksit.io/ksit/pkg/cmd/options"
)

// diagnosticsShutdownTimeout bounds the wait for scrapes and profiles.
const diagnosticsShutdownTimeout = 2 * time.Second

// serveDiagnostics serves metrics, health and profiles until ctx is done. The
// channel is closed when serving has ended.
func serveDiagnostics(ctx context.Context, config *options.DiagnosticsConfig) (<-chan struct{}, error) {
	set, err := scheme.New()
	if err != nil {
		return nil, fmt.Errorf("building the scheme: %w", err)
	}
	if config.Profiling && config.ContentionProfiling {
		runtime.SetBlockProfileRate(1)
	}
	stopped, _, err := config.Serving.Serve(diagnosticsHandler(config, set.Codecs), diagnosticsShutdownTimeout, ctx.Done())
	return stopped, err
}

// diagnosticsHandler is what the endpoint serves. The codecs write refusals.
func diagnosticsHandler(config *options.DiagnosticsConfig, codecs serializer.CodecFactory) http.Handler {
	paths := mux.NewPathRecorderMux("ksit-controller-manager")
	checks := []healthz.HealthChecker{healthz.PingHealthz, healthz.LogHealthz}
	healthz.InstallHandler(paths, checks...)
	healthz.InstallReadyzHandler(paths, checks...)
	healthz.InstallLivezHandler(paths, checks...)
	if config.Profiling {
		routes.Profiling{}.Install(paths)
	}
	paths.Handle("/metrics", legacyregistry.Handler())

	// As the API server does it, from the inside out.
	resolver := &apirequest.RequestInfoFactory{}
	var handler http.Handler = paths
	handler = genericapifilters.WithAuthorization(handler, config.Authorization.Authorizer, codecs)
	handler = genericapifilters.WithAuthentication(handler, config.Authentication.Authenticator,
		genericapifilters.Unauthorized(codecs), nil, config.Authentication.RequestHeaderConfig)
	handler = genericapifilters.WithRequestInfo(handler, resolver)
	handler = genericapifilters.WithCacheControl(handler)
	handler = genericfilters.WithHTTPLogging(handler)
	return genericfilters.WithPanicRecovery(handler, resolver)
}
