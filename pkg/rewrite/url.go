// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package rewrite

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// location is a URL brought to the form in which prefixes are compared.
type location struct {
	scheme string
	// host is in lower case and has a port only where it is not the scheme's.
	host string
	// path is escaped and has no slash at its end; it is empty for the root.
	path string
}

type urlRule struct {
	from, to location
}

// URL returns where a URL is found, and whether that is elsewhere than it says.
// The query stays. What is no absolute http, https or oci URL, and what carries
// credentials, is returned as it is.
func (t *Table) URL(raw string) (rewritten string, changed bool) {
	if t == nil || len(t.urls) == 0 {
		return raw, false
	}
	u, at, err := parseLocation(raw)
	if err != nil || t.underTo(at) {
		return raw, false
	}
	for _, rule := range t.urls {
		rest, ok := at.under(rule.from)
		if !ok {
			continue
		}
		// The slash at the end was taken off to compare: it is put back.
		if strings.HasSuffix(u.Path, "/") && u.Path != "/" {
			rest += "/"
		}
		out := rule.to.String() + rest
		if u.RawQuery != "" {
			out += "?" + u.RawQuery
		}
		return out, true
	}
	return raw, false
}

// Trusted tells whether a URL lies under the `to` of a rule. The operator named
// it then, so it may be where a tenant's URL may not be, such as on loopback.
// A tenant who names it himself reaches nothing that the rule does not give him.
func (t *Table) Trusted(u *url.URL) bool {
	if t == nil || u == nil {
		return false
	}
	at, err := locate(u)
	return err == nil && t.underTo(at)
}

func (t *Table) underTo(at location) bool {
	for _, rule := range t.urls {
		if _, ok := at.under(rule.to); ok {
			return true
		}
	}
	return false
}

func (l location) String() string { return l.scheme + "://" + l.host + l.path }

// under returns the rest of the path below prefix, and whether l is at or
// below it.
func (l location) under(prefix location) (rest string, ok bool) {
	if l.scheme != prefix.scheme || l.host != prefix.host {
		return "", false
	}
	rest, ok = strings.CutPrefix(l.path, prefix.path)
	if !ok || (rest != "" && rest[0] != '/') {
		return "", false
	}
	return rest, true
}

func parseLocation(raw string) (*url.URL, location, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, location{}, errors.New("not a URL")
	}
	at, err := locate(u)
	return u, at, err
}

func locate(u *url.URL) (location, error) {
	scheme := strings.ToLower(u.Scheme)
	port := u.Port()
	switch scheme {
	case "http":
		if port == "80" {
			port = ""
		}
	case "https", "oci":
		if port == "443" {
			port = ""
		}
	default:
		return location{}, errors.New("must begin with http://, https:// or oci://")
	}
	host := strings.ToLower(u.Hostname())
	if host == "" {
		return location{}, errors.New("has no host")
	}
	if u.User != nil {
		return location{}, errors.New("must not hold a user name or password")
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	path := u.EscapedPath()
	if !plain(path) {
		return location{}, errors.New("must have no dot segments, empty segments, encoded slashes or backslashes in its path")
	}
	return location{scheme: scheme, host: host, path: strings.TrimSuffix(path, "/")}, nil
}

// plain tells whether every server takes a path for the same place: it has
// nothing in it that some resolve and others do not.
func plain(escaped string) bool {
	if escaped == "" || escaped == "/" {
		return true
	}
	if escaped[0] != '/' {
		return false
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(escaped[1:], "/"), "/") {
		decoded, err := url.PathUnescape(segment)
		if err != nil || decoded == "" || decoded == "." || decoded == ".." || strings.ContainsAny(decoded, "/\\\x00") {
			return false
		}
	}
	return true
}

func parseURLRule(rule Rule) (urlRule, error) {
	from, err := parsePrefix(rule.From)
	if err != nil {
		return urlRule{}, fmt.Errorf("from: %w", err)
	}
	to, err := parsePrefix(rule.To)
	if err != nil {
		return urlRule{}, fmt.Errorf("to: %w", err)
	}
	return urlRule{from: from, to: to}, nil
}

func parsePrefix(raw string) (location, error) {
	u, at, err := parseLocation(raw)
	if err != nil {
		return location{}, err
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return location{}, errors.New("must have no query and no fragment")
	}
	return at, nil
}

// checkURLRules refuses rules of which only one could ever match.
func checkURLRules(rules []urlRule) error {
	var errs []error
	for i, rule := range rules {
		for j, other := range rules {
			if j < i && rule.from == other.from {
				errs = append(errs, fmt.Errorf("rewrites[%d]: from %s is also that of rewrites[%d]", i, rule.from, j))
			}
			if _, ok := rule.from.under(other.to); ok {
				errs = append(errs, fmt.Errorf("rewrites[%d]: never matches: from %s lies under %s, the to of rewrites[%d], which is not rewritten again", i, rule.from, other.to, j))
			}
		}
	}
	return errors.Join(errs...)
}
