// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// maxUnescape is how many layers of escapes are looked below.
const maxUnescape = 4

// location returns the URL of path on the API server of the endpoint, which may
// have a path itself that the result is below. requested is the path as the
// caller wrote it, of which path is the unescaped end.
//
// What could mean different things to those on the way is refused, not cleaned:
// a server that serves many clusters by path would otherwise be one ".." away
// from another cluster.
func location(endpoint, path string, requested *url.URL) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("parsing the URL of the API server: %w", err)
	}
	escaped := strings.ToLower(requested.EscapedPath())
	if strings.Contains(escaped, "%2f") || strings.Contains(escaped, "%5c") {
		return nil, errors.New("the path holds an escaped slash or backslash")
	}
	if strings.Contains(escaped, "//") {
		return nil, errors.New("the path holds an empty segment (//)")
	}
	if path == "" {
		path = "/"
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	below := (&url.URL{Path: path}).EscapedPath()
	if u.RawPath != "" {
		u.RawPath = u.EscapedPath() + below
	}
	u.Path += path
	u.RawQuery, u.Fragment = "", ""
	return u, nil
}

// checkPath takes a path of plain segments only.
func checkPath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return errors.New("the path does not begin with a slash")
	}
	for range maxUnescape {
		if strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
			return errors.New("the path holds control characters or backslashes")
		}
		segments := strings.Split(path[1:], "/")
		for i, segment := range segments {
			// Some servers take what follows a semicolon for parameters.
			name, _, _ := strings.Cut(segment, ";")
			switch {
			case name == "." || name == "..":
				return errors.New("the path holds the segment " + name)
			case segment == "" && i < len(segments)-1:
				return errors.New("the path holds an empty segment (//)")
			}
		}
		unescaped, err := url.PathUnescape(path)
		if err != nil || unescaped == path {
			return nil //nolint:nilerr // A percent sign that escapes nothing is one.
		}
		path = unescaped
	}
	return errors.New("the path is escaped again and again")
}
