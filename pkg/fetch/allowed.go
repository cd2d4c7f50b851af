// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"ksit.io/ksit/pkg/rewrite"
)

const (
	// maxAllowed bounds the entries of a list: they are searched one by one.
	maxAllowed = 1000
	// maxAllowedShown bounds those that an error names.
	maxAllowedShown = 10
)

// AllowedSources are what tenants may have KSIT fetch from. A nil one, and one
// without entries, allow everything. It does not change once made.
type AllowedSources struct {
	entries []allowedSource
	// shown is the list as the operator wrote it, bounded.
	shown string
}

// allowedSource is a prefix of URLs. Where anyHost is true, the host of the
// prefix is what the name must end with, and begins with a dot.
type allowedSource struct {
	prefix  rewrite.Location
	anyHost bool
}

// ParseAllowedSources reads a list. An entry is a URL prefix, such as
// https://charts.example.com/stable or oci://ghcr.io/argoproj, in which the host
// may begin with `*.` for all names below one; a host alone stands for https://
// and oci:// of it. Prefixes end at the boundary of a path segment.
func ParseAllowedSources(list []string) (*AllowedSources, error) {
	if len(list) > maxAllowed {
		return nil, fmt.Errorf("more than %d entries", maxAllowed)
	}
	a := &AllowedSources{}
	var errs []error
	for _, raw := range list {
		forms := []string{raw}
		if !strings.Contains(raw, "://") {
			forms = []string{"https://" + raw, "oci://" + raw}
			if strings.Contains(raw, "/") {
				errs = append(errs, fmt.Errorf("%q: must begin with http://, https:// or oci://, or be a host alone", raw))
				continue
			}
		}
		for _, form := range forms {
			entry, err := parseAllowed(form)
			if err != nil {
				errs = append(errs, fmt.Errorf("%q: %w", raw, err))
				break
			}
			a.entries = append(a.entries, entry)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	a.shown = strings.Join(list[:min(len(list), maxAllowedShown)], ", ")
	if more := len(list) - maxAllowedShown; more > 0 {
		a.shown += fmt.Sprintf(" and %d more", more)
	}
	return a, nil
}

func parseAllowed(raw string) (allowedSource, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return allowedSource{}, errors.New("not a URL")
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return allowedSource{}, errors.New("must have no query and no fragment")
	}
	prefix, err := locateASCII(u)
	if err != nil {
		return allowedSource{}, err
	}
	entry := allowedSource{prefix: prefix}
	entry.prefix.Host, entry.anyHost = strings.CutPrefix(prefix.Host, "*")
	switch {
	case strings.Contains(entry.prefix.Host, "*"), entry.anyHost && !strings.HasPrefix(entry.prefix.Host, "."):
		return allowedSource{}, errors.New("a star stands for the first part of a host only, as in *.example.com")
	case strings.Trim(entry.prefix.Host, ".") == "":
		return allowedSource{}, errors.New("has no host")
	}
	return entry, nil
}

// locateASCII refuses names in other letters than those of DNS: what a client
// makes of them is not what they look like.
func locateASCII(u *url.URL) (rewrite.Location, error) {
	if strings.IndexFunc(u.Host, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
		return rewrite.Location{}, errors.New("has a host with other characters than those of DNS: write it in its xn-- form")
	}
	return rewrite.Locate(u)
}

func (a *AllowedSources) everything() bool { return a == nil || len(a.entries) == 0 }

// check returns an ErrNotAllowed, calling the URL by what, unless it is allowed.
func (a *AllowedSources) check(u *url.URL, what string) error {
	if a.everything() {
		return nil
	}
	at, err := locateASCII(u)
	if err != nil {
		return fmt.Errorf("%w: %s %w", ErrNotAllowed, what, err)
	}
	for _, entry := range a.entries {
		if entry.covers(at) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s is none of what it allows: %s", ErrNotAllowed, what, a.shown)
}

// covers tells whether a location is the entry's. Who may use a repository of a
// registry may also use where the registry serves it.
func (e allowedSource) covers(at rewrite.Location) bool {
	prefix := e.prefix
	if e.anyHost {
		if !strings.HasSuffix(at.Host, prefix.Host) || len(at.Host) == len(prefix.Host) {
			return false
		}
		prefix.Host = at.Host
	}
	if _, ok := at.Under(prefix); ok {
		return true
	}
	if prefix.Scheme != "oci" {
		return false
	}
	prefix.Scheme, prefix.Path = "https", "/v2"+prefix.Path
	_, ok := at.Under(prefix)
	return ok
}

// Permit returns an ErrNotAllowed for a URL that tenants may not have KSIT fetch
// from, before any rewrite. Get asks it itself; it is for URLs that others
// fetch, such as those of registries. What the operator's table of rewrites
// leads to may be named by everybody.
func (c *Client) Permit(rawURL string) error {
	if c.options.Allowed.everything() {
		return nil
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return fmt.Errorf("%w: it is not a URL", ErrNotAllowed)
	}
	if c.options.Rewrites.Trusted(u) {
		return nil
	}
	return c.options.Allowed.check(u, redactURL(u))
}
