// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package rewrite

import (
	"errors"
	"net/url"
	"strings"
)

// Location is a URL brought to the form in which prefixes are compared.
type Location struct {
	Scheme string
	// Host is in lower case and has a port only where it is not the scheme's.
	Host string
	// Path is escaped and has no slash at its end; it is empty for the root.
	Path string
}

func (l Location) String() string { return l.Scheme + "://" + l.Host + l.Path }

// Under returns the rest of the path below prefix, and whether l is at or
// below it.
func (l Location) Under(prefix Location) (rest string, ok bool) {
	if l.Scheme != prefix.Scheme || l.Host != prefix.Host {
		return "", false
	}
	rest, ok = strings.CutPrefix(l.Path, prefix.Path)
	if !ok || (rest != "" && rest[0] != '/') {
		return "", false
	}
	return rest, true
}

func parseLocation(raw string) (*url.URL, Location, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, Location{}, errors.New("not a URL")
	}
	at, err := Locate(u)
	return u, at, err
}

// Locate brings an http, https or oci URL to that form. It fails for what carries
// credentials, and for a path that servers may take for another one.
func Locate(u *url.URL) (Location, error) {
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
		return Location{}, errors.New("must begin with http://, https:// or oci://")
	}
	host := strings.ToLower(u.Hostname())
	if host == "" {
		return Location{}, errors.New("has no host")
	}
	if u.User != nil {
		return Location{}, errors.New("must not hold a user name or password")
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	path := u.EscapedPath()
	if !plain(path) {
		return Location{}, errors.New("must have no dot segments, empty segments, encoded slashes or backslashes in its path")
	}
	return Location{Scheme: scheme, Host: host, Path: strings.TrimSuffix(path, "/")}, nil
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
