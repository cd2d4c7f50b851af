// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"net/http"
	"net/url"

	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"

	"ksit.io/ksit/pkg/apis/ksit"
)

type proxyQueryKey struct{}

// WithProxyQuery hides the query parameters of requests to the subresource proxy
// from the library, for ProxyREST to take up again: they are the target's. The
// library would refuse dryRun, with which kubectl diff begins.
func WithProxyQuery(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, found := genericapirequest.RequestInfoFrom(r.Context())
		if found && info.IsResourceRequest && info.APIGroup == ksit.GroupName && info.Resource == "integrationtargets" && info.Subresource == ProxySubresource {
			query := r.URL.RawQuery
			r = withRawQuery(r.WithContext(context.WithValue(r.Context(), proxyQueryKey{}, query)), "")
		}
		handler.ServeHTTP(w, r)
	})
}

// withQuery gives a request its query parameters back.
func withQuery(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if query, found := r.Context().Value(proxyQueryKey{}).(string); found {
			r = withRawQuery(r, query)
		}
		handler.ServeHTTP(w, r)
	})
}

func withRawQuery(r *http.Request, query string) *http.Request {
	u := new(url.URL)
	*u = *r.URL
	u.RawQuery = query
	changed := new(http.Request)
	*changed = *r
	changed.URL = u
	return changed
}
