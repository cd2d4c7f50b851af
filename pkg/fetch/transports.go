// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxOwnTransports bounds those who have connections of their own at a time.
const maxOwnTransports = 32

// transports are connections with one configuration of TLS: guarded checks
// addresses, open does not, proxied leaves that to a proxy.
type transports struct {
	guarded, open, proxied *http.Transport
}

func newTransports(options Options, config *tls.Config) *transports {
	config.MinVersion = tls.VersionTLS12
	guard := dialer(options.Resolver)
	guard.Control = refuseForbidden
	t := &transports{
		guarded: transport(guard, config),
		open:    transport(dialer(options.Resolver), config),
		proxied: transport(dialer(options.Resolver), config),
	}
	t.proxied.Proxy = options.Proxy
	return t
}

func (t *transports) closeIdle() {
	t.guarded.CloseIdleConnections()
	t.open.CloseIdleConnections()
	t.proxied.CloseIdleConnections()
}

func dialer(resolver *net.Resolver) *net.Dialer {
	return &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: resolver}
}

func transport(dialer *net.Dialer, config *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        config.Clone(),
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           16,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
		ForceAttemptHTTP2:      true,
	}
}

// ownTransports are those of who has a CA or a client certificate.
type ownTransports struct {
	key               string
	toSite, elsewhere *transports
}

// transportCache keeps transports, so that their connections are used again.
// The least recently used go first, and take their idle connections along.
type transportCache struct {
	mu sync.Mutex
	// order has the most recently used first; its elements are *ownTransports.
	order *list.List
	byKey map[string]*list.Element
}

func newTransportCache() *transportCache {
	return &transportCache{order: list.New(), byKey: map[string]*list.Element{}}
}

func (c *transportCache) get(key string) (*ownTransports, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.byKey[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(element)
	return element.Value.(*ownTransports), true
}

func (c *transportCache) add(own *ownTransports) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Two may have made the same at once; connections of the other one close
	// when they have been idle for long enough.
	if element, ok := c.byKey[own.key]; ok {
		c.drop(element)
	}
	c.byKey[own.key] = c.order.PushFront(own)
	for c.order.Len() > maxOwnTransports {
		c.drop(c.order.Back())
	}
}

func (c *transportCache) drop(element *list.Element) {
	own := c.order.Remove(element).(*ownTransports)
	delete(c.byKey, own.key)
	own.toSite.closeIdle()
	own.elsewhere.closeIdle()
}

func (c *transportCache) closeIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for element := c.order.Front(); element != nil; element = element.Next() {
		own := element.Value.(*ownTransports)
		own.toSite.closeIdle()
		own.elsewhere.closeIdle()
	}
}
