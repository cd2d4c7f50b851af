// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package passage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/kubectl/pkg/proxy"
)

// Handler serves the API of a target to programs of this machine. config is that
// of Config. A page of the Internet that a browser shows is turned away: by the
// Host header, should its name have been made to lead here, and by its Origin.
func Handler(config *rest.Config) (http.Handler, error) {
	hosts, err := proxy.MakeRegexpArray(proxy.DefaultHostAcceptRE)
	if err != nil {
		return nil, err
	}
	paths, err := proxy.MakeRegexpArray(proxy.DefaultPathAcceptRE)
	if err != nil {
		return nil, err
	}
	rejected, err := proxy.MakeRegexpArray(proxy.DefaultPathRejectRE)
	if err != nil {
		return nil, err
	}
	filter := &proxy.FilterServer{AcceptHosts: hosts, AcceptPaths: paths, RejectPaths: rejected}
	handler, err := proxy.NewProxyHandler("/", filter, config, 0, true)
	if err != nil {
		return nil, fmt.Errorf("making the local proxy: %w", err)
	}
	return sameOrigin(handler), nil
}

// sameOrigin turns away what a page of another site has a browser ask.
func sameOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if foreign(r) {
			http.Error(w, "requests of other sites are not accepted", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

// Serve serves until ctx is done.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving on %s: %w", listener.Addr(), err)
	}
	return nil
}
