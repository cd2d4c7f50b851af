// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	genericapiserver "k8s.io/apiserver/pkg/server"

	"ksit.io/ksit/pkg/safeyaml"
)

// defaultBodyBytes is what the library takes of a body unless it is told
// otherwise.
const defaultBodyBytes = 3 << 20

// boundYAML has the bodies of requests in YAML looked at before the library reads
// them: it writes all aliases out, and of three megabytes can come hundreds of
// gigabytes. What comes here has been authenticated, authorized and given its
// turn.
func boundYAML(config *genericapiserver.Config) {
	build := config.BuildHandlerChainFunc
	config.BuildHandlerChainFunc = func(api http.Handler, c *genericapiserver.Config) http.Handler {
		return build(withBoundedYAML(api, c.MaxRequestBodyBytes), c)
	}
}

func withBoundedYAML(next http.Handler, limit int64) http.Handler {
	if limit <= 0 {
		limit = defaultBodyBytes
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || !strings.Contains(strings.ToLower(r.Header.Get("Content-Type")), "yaml") {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
		if err != nil {
			http.Error(w, "the body of the request cannot be read", http.StatusBadRequest)
			return
		}
		if int64(len(body)) <= limit {
			if err := safeyaml.Bounded(body); err != nil {
				http.Error(w, "the body of the request: "+err.Error(), http.StatusRequestEntityTooLarge)
				return
			}
		}
		// The library refuses what is longer.
		r.Body = &readAgain{Reader: io.MultiReader(bytes.NewReader(body), r.Body), Closer: r.Body}
		next.ServeHTTP(w, r)
	})
}

// readAgain is a body of which a part was read.
type readAgain struct {
	io.Reader
	io.Closer
}
