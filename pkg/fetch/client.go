// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"ksit.io/ksit/pkg/rewrite"
)

const (
	defaultMaxBytes     = 10 << 20
	defaultTimeout      = time.Minute
	defaultMaxRedirects = 5
	defaultCacheBytes   = 16 << 20
	defaultUserAgent    = "ksit"
	maxURLBytes         = 4096
)

// Options say what a Client may reach and keep. The zero value is safe.
type Options struct {
	// Rewrites is the operator's table: Get looks URLs up in it, and what it
	// names is trusted.
	Rewrites *rewrite.Table
	// AllowLocal lifts the refusal of local addresses for all URLs.
	AllowLocal bool
	// RootCAs verify servers; nil means those of the system.
	RootCAs *x509.CertPool
	// Resolver looks up names; nil means that of the system.
	Resolver *net.Resolver
	// Proxy chooses a proxy for a request; nil means that the environment does
	// (HTTPS_PROXY, HTTP_PROXY, NO_PROXY). Through a proxy only addresses that
	// stand in the URL itself can be refused: names are the proxy's affair.
	Proxy func(*http.Request) (*url.URL, error)
	// UserAgent is sent to servers; empty means ksit.
	UserAgent string
	// CacheDir is where downloads are kept; empty means in memory.
	CacheDir string
	// CacheBytes bounds what is kept; 0 means 16 MiB, less than 0 nothing.
	CacheBytes int64
}

// Limits bound one download.
type Limits struct {
	// MaxBytes bounds its size, decompressed; 0 means 10 MiB.
	MaxBytes int64
	// Timeout bounds its time as a whole; 0 means a minute.
	Timeout time.Duration
}

// Client downloads. It is safe for concurrent use; its connections are shared.
type Client struct {
	options Options
	cache   *cache
	// guarded checks addresses; open does not; proxied leaves it to a proxy.
	guarded, open, proxied *http.Transport
}

// NewClient makes a client. It fails where the directory of the cache cannot
// be used.
func NewClient(options Options) (*Client, error) {
	if options.Proxy == nil {
		options.Proxy = http.ProxyFromEnvironment
	}
	if options.UserAgent == "" {
		options.UserAgent = defaultUserAgent
	}
	if options.CacheBytes == 0 {
		options.CacheBytes = defaultCacheBytes
	}
	c := &Client{options: options}
	var err error
	if c.cache, err = newCache(options.CacheDir, options.CacheBytes); err != nil {
		return nil, err
	}
	guard := dialer(options.Resolver)
	guard.Control = refuseForbidden
	c.guarded = transport(guard, options.RootCAs)
	c.open = transport(dialer(options.Resolver), options.RootCAs)
	c.proxied = transport(dialer(options.Resolver), options.RootCAs)
	c.proxied.Proxy = options.Proxy
	return c, nil
}

func dialer(resolver *net.Resolver) *net.Dialer {
	return &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: resolver}
}

func transport(dialer *net.Dialer, roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           16,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
		ForceAttemptHTTP2:      true,
	}
}

// CloseIdleConnections closes the connections that no download uses.
func (c *Client) CloseIdleConnections() {
	c.guarded.CloseIdleConnections()
	c.open.CloseIdleConnections()
	c.proxied.CloseIdleConnections()
}

// Get downloads a URL, or what the rewrite table has in its place. What was
// downloaded before is asked for on condition that it changed. The caller owns
// what it gets.
func (c *Client) Get(ctx context.Context, rawURL string, limits Limits) ([]byte, error) {
	if limits.MaxBytes <= 0 {
		limits.MaxBytes = defaultMaxBytes
	}
	if limits.Timeout <= 0 {
		limits.Timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limits.Timeout, fmt.Errorf("not done after %s: %w", limits.Timeout, context.DeadlineExceeded))
	defer cancel()
	target, _ := c.options.Rewrites.URL(rawURL)
	body, err := c.get(ctx, target, limits.MaxBytes)
	if err == nil {
		return body, nil
	}
	err = bare(err)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if target != rawURL {
		return nil, fmt.Errorf("fetching %s, rewritten to %s: %w", Redact(rawURL), Redact(target), err)
	}
	return nil, fmt.Errorf("fetching %s: %w", Redact(rawURL), err)
}

func (c *Client) get(ctx context.Context, target string, maxBytes int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: not a URL", ErrRefused)
	}
	if err := checkURL(request.URL); err != nil {
		return nil, err
	}
	kept := c.cache.get(target)
	if kept != nil && int64(len(kept.body)) <= maxBytes {
		kept.condition(request.Header)
	}
	response, err := c.HTTPClient(false).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotModified && kept != nil:
		return kept.body, nil
	case response.StatusCode != http.StatusOK:
		return nil, &StatusError{Code: response.StatusCode}
	case response.ContentLength > maxBytes:
		return nil, fmt.Errorf("%w: %d bytes, more than the %d allowed", ErrTooLarge, response.ContentLength, maxBytes)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > maxBytes {
		return nil, fmt.Errorf("%w: more than the %d bytes allowed", ErrTooLarge, maxBytes)
	}
	c.cache.put(target, response.Header, body)
	return body, nil
}

// HTTPClient returns a client for libraries that make their own requests, under
// the same rules, except that it does not bound sizes and keeps no cache. The
// URLs that the rewrite table names are trusted in any case; a trusted client
// may reach local addresses with every request that it is given, yet not
// through a redirect to another host.
func (c *Client) HTTPClient(trusted bool) *http.Client {
	return &http.Client{
		Transport:     &roundTripper{client: c, trusted: trusted},
		CheckRedirect: checkRedirect,
	}
}

// roundTripper picks the transport for each request, and so for each redirect.
type roundTripper struct {
	client  *Client
	trusted bool
}

func (r *roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.roundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 == 3 && response.Header.Get("Location") != "" {
		if _, err := response.Location(); err != nil {
			// net/http would put the whole of it into its error.
			response.Body.Close()
			return nil, fmt.Errorf("%w: it redirects to what is not a URL", ErrRefused)
		}
	}
	return response, nil
}

func (r *roundTripper) roundTrip(request *http.Request) (*http.Response, error) {
	if err := checkURL(request.URL); err != nil {
		return nil, err
	}
	// A round tripper must leave the caller's request as it is.
	request = request.Clone(request.Context())
	if request.Header.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", r.client.options.UserAgent)
	}
	if r.mayBeLocal(request) {
		return r.client.open.RoundTrip(request)
	}
	proxy, err := r.client.options.Proxy(request)
	if err != nil {
		// The error may hold the password in the proxy's URL.
		return nil, errors.New("the proxy of the environment is not a URL")
	}
	if proxy == nil {
		return r.client.guarded.RoundTrip(request)
	}
	if addr, err := netip.ParseAddr(request.URL.Hostname()); err == nil {
		if what := forbidden(addr); what != "" {
			return nil, fmt.Errorf("%w: its host is at a %s address", ErrRefused, what)
		}
	}
	return r.client.proxied.RoundTrip(request)
}

func (r *roundTripper) mayBeLocal(request *http.Request) bool {
	if r.client.options.AllowLocal || r.client.options.Rewrites.Trusted(request.URL) {
		return true
	}
	if !r.trusted {
		return false
	}
	first := request
	for first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
	}
	return first.URL.Scheme == request.URL.Scheme && first.URL.Host == request.URL.Host
}

func checkRedirect(request *http.Request, via []*http.Request) error {
	if len(via) > defaultMaxRedirects {
		return fmt.Errorf("%w: more than %d redirects", ErrRefused, defaultMaxRedirects)
	}
	if request.URL.Scheme != "https" && via[len(via)-1].URL.Scheme == "https" {
		return fmt.Errorf("%w: a redirect from https to %s", ErrRefused, request.URL.Scheme)
	}
	// It would tell one server the query that was meant for another.
	request.Header.Del("Referer")
	return nil
}

func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%w: must begin with http:// or https://", ErrRefused)
	case u.Hostname() == "":
		return fmt.Errorf("%w: it has no host", ErrRefused)
	case u.User != nil:
		return fmt.Errorf("%w: it must not hold a user name or password", ErrRefused)
	case len(u.String()) > maxURLBytes:
		return fmt.Errorf("%w: longer than %d bytes", ErrRefused, maxURLBytes)
	}
	return nil
}
