// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/tracing"
)

const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	idleTimeout      = 90 * time.Second
	// A connection on which nothing was read for pingAfter is pinged, and given
	// up when no answer comes within pingTimeout. Without it a peer that
	// vanished behind a firewall is noticed after a quarter of an hour, and
	// every request waits on it until then.
	pingAfter   = 5 * time.Second
	pingTimeout = 5 * time.Second
	// tracedPeer begins the names of the spans of requests.
	tracedPeer = "target"
)

// newTransport returns the one transport of a connection, and config with its
// credentials moved into it: every client that is made from a copy of the
// result, by whatever library, shares the transport's connections.
//
// It is built by hand because client-go keeps the transports it builds in a
// process-wide table, where those of replaced kubeconfigs would pile up and
// could not be closed.
func newTransport(config *rest.Config) (*rest.Config, *http.Transport, error) {
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, nil, refuse(ReasonCredentialsInvalid, "the certificates of the kubeconfig cannot be used")
	}
	base := newBase(config, tlsConfig)
	authenticated, err := rest.HTTPWrappersForConfig(withoutTLS(config), newGuard(tracing.Transport(tracedPeer, base)))
	if err != nil {
		return nil, nil, fmt.Errorf("preparing the transport to %s: %w", config.Host, err)
	}
	return &rest.Config{
		Host:               config.Host,
		UserAgent:          config.UserAgent,
		DisableCompression: config.DisableCompression,
		Transport:          authenticated,
		RateLimiter:        config.RateLimiter,
		QPS:                config.QPS,
		Burst:              config.Burst,
		WarningHandler:     rest.NoWarnings{},
	}, base, nil
}

// newBase returns a transport without credentials, but for a client certificate.
func newBase(config *rest.Config, tlsConfig *tls.Config) *http.Transport {
	return &http.Transport{
		// The proxy of the process, if any: the operator's, not the tenant's.
		Proxy:                  utilnet.NewProxierWithNoProxyCIDR(http.ProxyFromEnvironment),
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    handshakeTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    4,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     config.DisableCompression,
		ForceAttemptHTTP2:      true,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: pingAfter,
			PingTimeout:     pingTimeout,
		},
	}
}

// withoutTLS returns what is left for the wrappers: client-go refuses TLS
// settings next to a transport of one's own.
func withoutTLS(config *rest.Config) *rest.Config {
	c := rest.CopyConfig(config)
	c.TLSClientConfig = rest.TLSClientConfig{}
	return c
}
