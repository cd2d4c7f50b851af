// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"

	genericapiserver "k8s.io/apiserver/pkg/server"
)

// sendAway has clients connect anew once the server was asked to stop. An aggregator
// keeps one connection for all requests, and by it goes on to come here long after the
// Service leads elsewhere: until the server takes no more requests, and then it is
// refused. In the time of --shutdown-delay-duration each request is answered, and each
// connection is used no more after that.
func sendAway(config *genericapiserver.Config) {
	build := config.BuildHandlerChainFunc
	config.BuildHandlerChainFunc = func(api http.Handler, c *genericapiserver.Config) http.Handler {
		return withSendingAway(build(api, c), c.ShutdownInitiatedNotify())
	}
}

func withSendingAway(next http.Handler, stopping <-chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-stopping:
			// HTTP/2 has no such header. There the server takes it as the wish to send
			// GOAWAY, and lets what is under way on the connection, watches too, end.
			w.Header().Set("Connection", "close")
		default:
		}
		next.ServeHTTP(w, r)
	})
}
