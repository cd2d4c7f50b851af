// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"net/http"

	"k8s.io/apiserver/pkg/endpoints/request"
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
		stopping := c.ShutdownInitiatedNotify()
		return withSendingAway(build(withWatchesEnding(api, isWatch, stopping), c), stopping)
	}
}

func withSendingAway(next http.Handler, stopping <-chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-stopping:
			// HTTP/2 has no such header. There the server takes it as the wish to send
			// GOAWAY, and lets what is under way on the connection end.
			w.Header().Set("Connection", "close")
		default:
		}
		next.ServeHTTP(w, r)
	})
}

// withWatchesEnding ends watches when the server was asked to stop. Nothing else may
// come by the connection of a watch, so that its client would not be told. It ends in
// order, is begun again where it ended, and told then.
func withWatchesEnding(next http.Handler, watches func(*http.Request) bool, stopping <-chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-stopping:
		default:
			if watches(r) {
				ctx, cancel := context.WithCancel(r.Context())
				defer cancel()
				r = r.WithContext(ctx)
				go func() {
					select {
					case <-stopping:
						cancel()
					case <-ctx.Done():
					}
				}()
			}
		}
		next.ServeHTTP(w, r)
	})
}

// isWatch tells watches of resources from other requests, by what the library found out
// of them.
func isWatch(r *http.Request) bool {
	info, found := request.RequestInfoFrom(r.Context())
	return found && info.IsResourceRequest && info.Verb == "watch"
}
