// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/util/sets"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericfilters "k8s.io/apiserver/pkg/server/filters"

	"ksit.io/ksit/pkg/registry/ksit/installationlog"
	targetstorage "ksit.io/ksit/pkg/registry/ksit/integrationtarget/storage"
)

// TargetProxy passes requests on to targets.
type TargetProxy interface {
	targetstorage.Proxy
	// Stop refuses further requests, and ends those that are under way soon.
	Stop()
}

// applyLongRunning names what may take for ever: it has no deadline, and takes
// no seat of those that bound the requests in flight.
func applyLongRunning(config *genericapiserver.Config) {
	config.LongRunningFunc = genericfilters.BasicLongRunningRequestCheck(
		sets.NewString("watch"), sets.NewString(targetstorage.ProxySubresource, installationlog.Subresource))
	// The library reads query parameters that are meant for the target.
	config.BuildHandlerChainFunc = func(handler http.Handler, c *genericapiserver.Config) http.Handler {
		return genericapiserver.DefaultBuildHandlerChain(targetstorage.WithProxyQuery(handler), c)
	}
}

// stopWith stops the proxy when the server is asked to stop. The server waits
// for all requests to end, for a minute, and those of a watch do not.
func stopWith(server *genericapiserver.GenericAPIServer, proxy TargetProxy) error {
	err := server.AddPreShutdownHook("stop-target-proxy", func() error {
		proxy.Stop()
		return nil
	})
	if err != nil {
		return fmt.Errorf("adding the hook that stops the proxy to targets: %w", err)
	}
	return nil
}
