// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"

	genericapiserver "k8s.io/apiserver/pkg/server"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/version"
)

// sayVersion has the discovery of the API say of which version KSIT is, to those who
// may see it: they are authenticated.
func sayVersion(config *genericapiserver.Config) {
	build := config.BuildHandlerChainFunc
	config.BuildHandlerChainFunc = func(api http.Handler, c *genericapiserver.Config) http.Handler {
		return build(withVersion(api), c)
	}
}

func withVersion(next http.Handler) http.Handler {
	release := version.Get().GitVersion
	discovery := "/apis/" + v1alpha1.SchemeGroupVersion.String()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == discovery {
			w.Header().Set(version.Header, release)
		}
		next.ServeHTTP(w, r)
	})
}
