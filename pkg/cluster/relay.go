// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"net/http"
	"time"

	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/tracing"
)

// A target that does not say within upgradeTimeout whether it changes the
// protocol is given up. Other requests have no such bound: the log of a pod
// that is silent has no answer until the pod says something.
const upgradeTimeout = time.Minute

// relay carries the requests of others, see ActAs, over the connections of the
// target. What comes back goes on to them and is not kept.
type relay struct {
	plain http.RoundTripper
	// upgrades carries requests that change the protocol, such as exec and
	// port-forward. HTTP/2 cannot, and each of them takes a connection for itself.
	upgrades    http.RoundTripper
	upgradeBase *http.Transport
}

// newRelay makes the relay of a connection with the transport base.
func newRelay(config *rest.Config, base *http.Transport) (*relay, error) {
	upgradeBase := newBase(config, base.TLSClientConfig.Clone())
	upgradeBase.ForceAttemptHTTP2 = false
	upgradeBase.HTTP2 = nil
	upgradeBase.Protocols = new(http.Protocols)
	upgradeBase.Protocols.SetHTTP1(true)
	upgradeBase.ResponseHeaderTimeout = upgradeTimeout
	plain, err := rest.HTTPWrappersForConfig(withoutTLS(config), tracing.Transport(tracedPeer, base))
	if err != nil {
		return nil, fmt.Errorf("preparing the transport to %s for others: %w", config.Host, err)
	}
	upgrades, err := rest.HTTPWrappersForConfig(withoutTLS(config), upgradeBase)
	if err != nil {
		return nil, fmt.Errorf("preparing the transport for upgrades to %s: %w", config.Host, err)
	}
	return &relay{plain: plain, upgrades: upgrades, upgradeBase: upgradeBase}, nil
}
