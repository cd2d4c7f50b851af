// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package rewrite

import (
	"errors"
	"fmt"
	"strings"
)

type imageRule struct {
	// from and to are repositories, or prefixes of some, with their registry
	// and without a slash at the end.
	from, to string
}

// Image returns where a container image is found. The name is first written
// out as a container runtime does: nginx is docker.io/library/nginx. Tag and
// digest stay. An image that no rule matches is returned as it is written, and
// so is auto, which Istio's webhook replaces.
func (t *Table) Image(image string) string {
	if t == nil || len(t.images) == 0 || image == "auto" {
		return image
	}
	name, suffix := splitImage(image)
	if !validRepository(name) {
		return image
	}
	name = writeOut(name)
	for _, rule := range t.images {
		if _, ok := repositoryUnder(name, rule.to); ok {
			return image
		}
	}
	for _, rule := range t.images {
		if rest, ok := repositoryUnder(name, rule.from); ok {
			return rule.to + rest + suffix
		}
	}
	return image
}

// splitImage cuts tag and digest off the name of an image. The last colon
// begins a tag unless it belongs to the port of the registry.
func splitImage(image string) (name, suffix string) {
	name = image
	if i := strings.IndexByte(name, '@'); i >= 0 {
		name = name[:i]
	}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	return name, image[len(name):]
}

// writeOut adds the registry and the namespace that a short name implies, and
// brings the registry to lower case.
func writeOut(name string) string {
	registry, rest, found := strings.Cut(name, "/")
	if !found || !isRegistry(registry) {
		registry, rest = "docker.io", name
	}
	registry = strings.ToLower(registry)
	if registry == "index.docker.io" {
		registry = "docker.io"
	}
	if registry == "docker.io" && !strings.Contains(rest, "/") {
		rest = "library/" + rest
	}
	return registry + "/" + rest
}

// isRegistry tells the first part of a name that is a registry from one that
// is a namespace of docker.io.
func isRegistry(part string) bool {
	return part == "localhost" || strings.ContainsAny(part, ".:") || strings.ToLower(part) != part
}

// validRepository tells whether a name can be that of an image: what is not,
// such as an unfilled placeholder, is none of a rule's business.
func validRepository(name string) bool {
	if name == "" || len(name) > 255 {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("._-/:[]", c) >= 0:
		default:
			return false
		}
	}
	return true
}

func repositoryUnder(name, prefix string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(name, prefix)
	if !ok || (rest != "" && rest[0] != '/') {
		return "", false
	}
	return rest, true
}

func parseImageRule(rule Rule) (imageRule, error) {
	from, err := parseRepositoryPrefix(rule.From)
	if err != nil {
		return imageRule{}, fmt.Errorf("from %q: %w", rule.From, err)
	}
	to, err := parseRepositoryPrefix(rule.To)
	if err != nil {
		return imageRule{}, fmt.Errorf("to %q: %w", rule.To, err)
	}
	return imageRule{from: from, to: to}, nil
}

func parseRepositoryPrefix(raw string) (string, error) {
	if strings.Contains(raw, "://") {
		return "", errors.New("images have no scheme: begin with the registry, as in docker.io/")
	}
	name := strings.TrimSuffix(raw, "/")
	if !validRepository(name) {
		return "", errors.New("must be a registry or a prefix of a repository, as docker.io/ or quay.io/argoproj")
	}
	registry, rest, _ := strings.Cut(name, "/")
	if !isRegistry(registry) {
		return "", errors.New("must begin with a registry, as in docker.io/library/")
	}
	if strings.Contains(rest, ":") {
		return "", errors.New("must not hold a tag or a digest")
	}
	registry = strings.ToLower(registry)
	if registry == "index.docker.io" {
		registry = "docker.io"
	}
	if rest == "" {
		return registry, nil
	}
	return registry + "/" + rest, nil
}

// checkImageRules refuses rules of which only one could ever match.
func checkImageRules(rules []imageRule) error {
	var errs []error
	for i, rule := range rules {
		for j, other := range rules {
			if j < i && rule.from == other.from {
				errs = append(errs, fmt.Errorf("images[%d]: from %s is also that of images[%d]", i, rule.from, j))
			}
			if _, ok := repositoryUnder(rule.from, other.to); ok {
				errs = append(errs, fmt.Errorf("images[%d]: never matches: from %s lies under %s, the to of images[%d], which is not rewritten again", i, rule.from, other.to, j))
			}
		}
	}
	return errors.Join(errs...)
}
