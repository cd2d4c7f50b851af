// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"ksit.io/ksit/pkg/rewrite"
	"ksit.io/ksit/pkg/tracing"
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
	// Allowed are what tenants may name; nil allows all that is not local.
	Allowed *AllowedSources
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
	// plain are the connections of those without a CA or certificate of their
	// own, own are those of the others.
	plain *transports
	own   *transportCache
	// salt is the secret of this process that goes into scopes.
	salt []byte
	// as is who uses it; nil without an Access.
	as *identity
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
	cache, err := newCache(options.CacheDir, options.CacheBytes)
	if err != nil {
		return nil, err
	}
	salt := make([]byte, 32)
	if _, err := rand.Read(salt); err != nil {
		return nil, fmt.Errorf("making the secret of the download cache: %w", err)
	}
	return &Client{
		options: options,
		cache:   cache,
		plain:   newTransports(options, &tls.Config{RootCAs: options.RootCAs}),
		own:     newTransportCache(),
		salt:    salt,
	}, nil
}

// CloseIdleConnections closes the connections that no download uses.
func (c *Client) CloseIdleConnections() {
	c.plain.closeIdle()
	c.own.closeIdle()
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
	if err := c.Permit(rawURL); err != nil {
		return nil, fmt.Errorf("fetching %s: %w", Redact(rawURL), err)
	}
	target, _ := c.options.Rewrites.URL(rawURL)
	ctx, span := tracing.Start(ctx, "fetch", tracing.Text("server.address", hostOf(target)))
	body, err := c.get(ctx, target, limits.MaxBytes)
	span.SetAttributes(attribute.Int("ksit.bytes", len(body)))
	tracing.End(span, err)
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
	key := target
	if c.as != nil {
		key = c.as.scope + " " + target
	}
	kept := c.cache.get(key)
	if kept != nil && int64(len(kept.body)) <= maxBytes {
		kept.condition(request.Header)
	}
	response, err := c.httpClient(&roundTripper{client: c, permitted: true, authorize: true}).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotModified && kept != nil:
		return kept.body, nil
	case response.StatusCode != http.StatusOK:
		return nil, &StatusError{Code: response.StatusCode, Presented: c.as.presented(response.Request.URL)}
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
	c.cache.put(key, response.Header, body)
	return body, nil
}

// hostOf is all that a trace is told of a URL: the rest may be a secret.
func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return u.Host
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
