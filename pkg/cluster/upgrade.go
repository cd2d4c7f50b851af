// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

const (
	// A target that does not say within upgradeTimeout whether it changes the
	// protocol is given up. Other requests have no such bound: the log of a pod
	// that is silent has no answer until the pod says something.
	upgradeTimeout = time.Minute
	// maxUpgradeHeader bounds the headers of the answer, in bytes.
	maxUpgradeHeader = 1 << 20
)

// upgradeTransport carries requests that change the protocol, such as exec and
// port-forward. HTTP/2 cannot, and each of them takes a connection for itself.
type upgradeTransport struct {
	http.RoundTripper
	base *http.Transport
}

func newUpgradeTransport(config *rest.Config) (*upgradeTransport, error) {
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, refuse(ReasonCredentialsInvalid, "the certificates of the kubeconfig cannot be used")
	}
	base := newBase(config, tlsConfig)
	base.ForceAttemptHTTP2 = false
	base.HTTP2 = nil
	base.Protocols = new(http.Protocols)
	base.Protocols.SetHTTP1(true)
	base.ResponseHeaderTimeout = upgradeTimeout
	base.MaxResponseHeaderBytes = maxUpgradeHeader
	authenticated, err := rest.HTTPWrappersForConfig(withoutTLS(config), base)
	if err != nil {
		return nil, fmt.Errorf("preparing the transport for upgrades to %s: %w", config.Host, err)
	}
	return &upgradeTransport{RoundTripper: authenticated, base: base}, nil
}
