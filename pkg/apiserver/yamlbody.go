// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/safeyaml"
)

// defaultBodyBytes is what the library takes of a body unless it is told
// otherwise.
const defaultBodyBytes = 3 << 20

// boundYAML has the bodies of requests in YAML looked at before the library reads
// them: it writes all aliases out, and of three megabytes can come hundreds of
// gigabytes. What comes here has been authenticated, authorized and given its
// turn. What is passed on to a target is not looked at: it is for the target to
// read, and may be long, or without an end.
func boundYAML(config *genericapiserver.Config) {
	build := config.BuildHandlerChainFunc
	config.BuildHandlerChainFunc = func(api http.Handler, c *genericapiserver.Config) http.Handler {
		return build(withBoundedYAML(api, c.Serializer, c.MaxRequestBodyBytes), c)
	}
}

func withBoundedYAML(next http.Handler, serializer runtime.NegotiatedSerializer, limit int64) http.Handler {
	if limit <= 0 {
		limit = defaultBodyBytes
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || !strings.Contains(strings.ToLower(r.Header.Get("Content-Type")), "yaml") || passedOn(r) {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
		if err != nil {
			refuse(w, r, serializer, apierrors.NewBadRequest("the body of the request cannot be read"))
			return
		}
		if int64(len(body)) <= limit {
			if err := safeyaml.Bounded(body); err != nil {
				refuse(w, r, serializer, apierrors.NewRequestEntityTooLargeError("the body of the request: "+err.Error()))
				return
			}
		}
		// The library refuses what is longer.
		r.Body = &readAgain{Reader: io.MultiReader(bytes.NewReader(body), r.Body), Closer: r.Body}
		next.ServeHTTP(w, r)
	})
}

// passedOn tells whether the request is for the API of a target.
func passedOn(r *http.Request) bool {
	info, known := request.RequestInfoFrom(r.Context())
	return known && info.IsResourceRequest && info.APIGroup == ksit.GroupName &&
		info.Resource == "integrationtargets" && info.Subresource == "proxy"
}

// refuse answers with a Status, which is what clients of the API understand.
func refuse(w http.ResponseWriter, r *http.Request, serializer runtime.NegotiatedSerializer, err *apierrors.StatusError) {
	responsewriters.ErrorNegotiated(err, serializer, v1alpha1.SchemeGroupVersion, w, r)
}

// readAgain is a body of which a part was read.
type readAgain struct {
	io.Reader
	io.Closer
}
