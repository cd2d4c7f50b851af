// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
)

// HTTPClient returns a client for libraries that make their own requests, under
// the same rules, except that it does not bound sizes, keeps no cache, and
// leaves passwords and tokens to the library. The URLs that the rewrite table
// names are trusted in any case; a trusted client may reach local addresses with
// every request that it is given, yet not through a redirect to another host.
//
// site is where a URL is served that the caller had permitted: requests to its
// host pass, those to others, such as a service of tokens that it names, must be
// of the allowed sources themselves.
func (c *Client) HTTPClient(site *url.URL, trusted bool) *http.Client {
	return c.httpClient(&roundTripper{client: c, site: origin(site), permitted: trusted, trusted: trusted})
}

func (c *Client) httpClient(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, CheckRedirect: checkRedirect}
}

// roundTripper picks the transport for each request, and so for each redirect.
type roundTripper struct {
	client  *Client
	trusted bool
	// permitted is true where all URLs that it is given are known to be of the
	// allowed sources; those on site are in any case. Redirects never are.
	permitted bool
	site      string
	// authorize is true where it adds the password or token.
	authorize bool
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
	if err := r.permit(request); err != nil {
		return nil, err
	}
	// A round tripper must leave the caller's request as it is.
	request = request.Clone(request.Context())
	if request.Header.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", r.client.options.UserAgent)
	}
	to := r.client.plain
	if as := r.client.as; as != nil {
		to = as.elsewhere
		if as.at(request.URL) {
			to = as.toSite
			if err := r.addCredentials(request); err != nil {
				return nil, err
			}
		}
	}
	if r.mayBeLocal(request) {
		return to.open.RoundTrip(request)
	}
	proxy, err := r.client.options.Proxy(request)
	if err != nil {
		// The error may hold the password in the proxy's URL.
		return nil, errors.New("the proxy of the environment is not a URL")
	}
	if proxy == nil {
		return to.guarded.RoundTrip(request)
	}
	if addr, err := netip.ParseAddr(request.URL.Hostname()); err == nil {
		if what := forbidden(addr); what != "" {
			return nil, fmt.Errorf("%w: its host is at a %s address", ErrRefused, what)
		}
	}
	return to.proxied.RoundTrip(request)
}

// addCredentials adds the password or token to a request to the site.
func (r *roundTripper) addCredentials(request *http.Request) error {
	if !r.authorize {
		return nil
	}
	access, err := r.client.Credentials(request.URL)
	if err == nil && access != nil {
		access.authorize(request.Header)
	}
	return err
}

func (r *roundTripper) mayBeLocal(request *http.Request) bool {
	if r.client.options.AllowLocal || r.client.options.Rewrites.Trusted(request.URL) {
		return true
	}
	return r.trusted && staysAtHost(request)
}

// permit refuses what leads away from the allowed sources.
func (r *roundTripper) permit(request *http.Request) error {
	options := &r.client.options
	switch {
	case options.Allowed.everything(), options.Rewrites.Trusted(request.URL):
		return nil
	case request.Response == nil && (r.permitted || origin(request.URL) == r.site):
		return nil
	case r.trusted && staysAtHost(request):
		return nil
	}
	// Its path is what a server answered.
	return options.Allowed.check(request.URL, "what it leads to, at "+request.URL.Scheme+"://"+request.URL.Host+",")
}

// staysAtHost tells whether a request is the first, or goes where the first of
// its redirects went.
func staysAtHost(request *http.Request) bool {
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
