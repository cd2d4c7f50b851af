// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package rewrite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"sigs.k8s.io/yaml"
)

const (
	// maxFileBytes bounds the file of a table.
	maxFileBytes = 1 << 20
	// maxRules bounds the rules of each kind: they are searched one by one.
	maxRules = 1000
)

// Rule says that what begins with From is found under To.
type Rule struct {
	// From is the prefix to look for.
	From string `json:"from"`
	// To is what takes its place.
	To string `json:"to"`
}

// Config is the content of the file of a table.
type Config struct {
	// Rewrites are rules for the URLs of chart repositories and manifests:
	// http, https and oci.
	Rewrites []Rule `json:"rewrites,omitempty"`
	// Images are rules for container images, such as docker.io/ or
	// quay.io/argoproj/argocd.
	Images []Rule `json:"images,omitempty"`
}

// Table is a set of rewrites. It does not change once made and is safe for
// concurrent use. A nil Table rewrites nothing.
type Table struct {
	urls   []urlRule
	images []imageRule
}

// New makes a table of rules for URLs and, optionally, for images.
func New(urls []Rule, images ...Rule) (*Table, error) {
	if len(urls) > maxRules || len(images) > maxRules {
		return nil, fmt.Errorf("more than %d rewrites", maxRules)
	}
	t := &Table{}
	var errs []error
	for i, rule := range urls {
		parsed, err := parseURLRule(rule)
		if err != nil {
			errs = append(errs, fmt.Errorf("rewrites[%d]: %w", i, err))
			continue
		}
		t.urls = append(t.urls, parsed)
	}
	for i, rule := range images {
		parsed, err := parseImageRule(rule)
		if err != nil {
			errs = append(errs, fmt.Errorf("images[%d]: %w", i, err))
			continue
		}
		t.images = append(t.images, parsed)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if err := errors.Join(checkURLRules(t.urls), checkImageRules(t.images)); err != nil {
		return nil, err
	}
	// The longest first: the first match is then the one to take.
	slices.SortStableFunc(t.urls, func(a, b urlRule) int { return len(b.from.Path) - len(a.from.Path) })
	slices.SortStableFunc(t.images, func(a, b imageRule) int { return len(b.from) - len(a.from) })
	return t, nil
}

// Parse makes a table of the content of a file. Unknown fields are refused.
func Parse(data []byte) (*Table, error) {
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("more than %d bytes", maxFileBytes)
	}
	var config Config
	if err := yaml.UnmarshalStrict(data, &config); err != nil {
		return nil, err
	}
	return New(config.Rewrites, config.Images...)
}

// Load makes a table of a file.
func Load(file string) (*Table, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the table of rewrites: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the table of rewrites: %w", err)
	}
	t, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("the table of rewrites %s: %w", file, err)
	}
	return t, nil
}
