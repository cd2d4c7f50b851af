// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package rewrite

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

type urlRule struct {
	from, to Location
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
		rest, ok := at.Under(rule.from)
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
	at, err := Locate(u)
	return err == nil && t.underTo(at)
}

func (t *Table) underTo(at Location) bool {
	for _, rule := range t.urls {
		if _, ok := at.Under(rule.to); ok {
			return true
		}
	}
	return false
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

func parsePrefix(raw string) (Location, error) {
	u, at, err := parseLocation(raw)
	if err != nil {
		return Location{}, err
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return Location{}, errors.New("must have no query and no fragment")
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
			if _, ok := rule.from.Under(other.to); ok {
				errs = append(errs, fmt.Errorf("rewrites[%d]: never matches: from %s lies under %s, the to of rewrites[%d], which is not rewritten again", i, rule.from, other.to, j))
			}
		}
	}
	return errors.Join(errs...)
}
