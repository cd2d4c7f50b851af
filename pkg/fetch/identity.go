// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// identity is who uses a client: one who has an Access to a site.
type identity struct {
	access *Access
	// site is the scheme, host and port that the access is for.
	site string
	// scope stands for all of it.
	scope string
	// toSite are for the site, elsewhere for where that leads to.
	toSite, elsewhere *transports
}

// For returns the client for one who has an Access to a site, the http or https
// URL that a tenant named; for nil it is the client itself. It shares what the
// client has, except that what is downloaded for one is never given to another.
//
// Credentials and the client certificate go to the scheme, host and port of the
// site. They do not go where a redirect, or the operator's table of rewrites,
// leads elsewhere: they are the tenant's, and those hosts may be anybody's. The
// CA alone verifies the site; elsewhere, those of the system count as well.
func (c *Client) For(access *Access, site string) (*Client, error) {
	if access == nil {
		return c, nil
	}
	u, err := url.Parse(site)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("%w: what the credentials are for is not a URL", ErrRefused)
	}
	as := &identity{access: access, site: origin(u)}
	as.scope = digest(c.salt, []byte(as.site), []byte(access.Username), []byte(access.Password), []byte(access.Token),
		access.Certificate, access.Key, access.CA)
	as.toSite, as.elsewhere = c.plain, c.plain
	if len(access.CA) > 0 || len(access.Certificate) > 0 {
		if as.toSite, as.elsewhere, err = c.transportsFor(access); err != nil {
			return nil, err
		}
	}
	view := *c
	view.as = as
	return &view, nil
}

// Credentials returns what the server of a URL is shown, for libraries that
// authenticate by themselves; nil where that is nothing. It is an error where
// passwords would go in the clear, except where the operator allows local
// addresses, as on test beds.
func (c *Client) Credentials(u *url.URL) (*Access, error) {
	if !c.as.presented(u) {
		return nil, nil
	}
	if c.as.access.HasCredentials() && u.Scheme != "https" && !c.options.AllowLocal {
		return nil, fmt.Errorf("%w: credentials are not sent by plain http, where anybody on the way can read them: use https", ErrRefused)
	}
	return c.as.access, nil
}

// Scope tells apart those who may not see the same: whoever keeps what he got
// from a client keeps it by this, too. It is empty without an Access, has
// nothing of it in clear, and is another one in every process.
func (c *Client) Scope() string {
	if c.as == nil {
		return ""
	}
	return c.as.scope
}

// transportsFor returns those with the CA and the certificate of an Access.
func (c *Client) transportsFor(access *Access) (toSite, elsewhere *transports, err error) {
	key := digest(c.salt, access.CA, access.Certificate, access.Key)
	if kept, ok := c.own.get(key); ok {
		return kept.toSite, kept.elsewhere, nil
	}
	site := &tls.Config{RootCAs: c.options.RootCAs}
	if len(access.CA) > 0 {
		site.RootCAs = x509.NewCertPool()
		if !site.RootCAs.AppendCertsFromPEM(access.CA) {
			return nil, nil, fmt.Errorf("%w: the CA is no certificate in PEM", ErrRefused)
		}
	}
	if len(access.Certificate) > 0 {
		pair, err := tls.X509KeyPair(access.Certificate, access.Key)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: the client certificate and its key are not a pair in PEM", ErrRefused)
		}
		site.Certificates = []tls.Certificate{pair}
	}
	kept := &ownTransports{key: key, toSite: newTransports(c.options, site), elsewhere: c.plain}
	if len(access.CA) > 0 {
		roots, err := c.rootsAnd(access.CA)
		if err != nil {
			return nil, nil, err
		}
		kept.elsewhere = newTransports(c.options, &tls.Config{RootCAs: roots})
	}
	c.own.add(kept)
	return kept.toSite, kept.elsewhere, nil
}

func (c *Client) rootsAnd(ca []byte) (*x509.CertPool, error) {
	if c.options.RootCAs != nil {
		roots := c.options.RootCAs.Clone()
		roots.AppendCertsFromPEM(ca)
		return roots, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, errors.New("the CA certificates of the system cannot be read")
	}
	roots.AppendCertsFromPEM(ca)
	return roots, nil
}

// at tells whether a URL is on the site. Nothing is on that of nil.
func (i *identity) at(u *url.URL) bool { return i != nil && origin(u) == i.site }

// presented tells whether a request to a URL showed who asks.
func (i *identity) presented(u *url.URL) bool { return i.at(u) && i.access.identifies() }

// origin returns the scheme, host and port of a URL in one form.
func origin(u *url.URL) string {
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
