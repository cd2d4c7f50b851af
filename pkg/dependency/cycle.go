// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package dependency walks the order between Integrations.
package dependency

import (
	"errors"
	"slices"
	"strings"
)

// MaxReach bounds how many Integrations may come before one, directly or
// through others: to look for a cycle is to read them all.
const MaxReach = 256

// ErrTooMany says that more than MaxReach come before one.
var ErrTooMany = errors.New("more than 256 Integrations come before it, directly or through others")

// Path is a way along dependencies: each entry depends on the next.
type Path []string

// String returns a → b → c.
func (p Path) String() string { return strings.Join(p, " → ") }

// Cycle returns the shortest way along dependencies from name back to name, nil
// where there is none. dependsOn are the dependencies of name itself; those of
// any other are what next returns, nothing for one that does not exist.
func Cycle(name string, dependsOn []string, next func(name string) ([]string, error)) (Path, error) {
	// Breadth first. before remembers by which way each was first reached.
	before := map[string]string{}
	queue := []string{name}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		dependencies := dependsOn
		if at != name {
			var err error
			if dependencies, err = next(at); err != nil {
				return nil, err
			}
		}
		for _, dependency := range dependencies {
			if dependency == name {
				return way(before, name, at), nil
			}
			if _, seen := before[dependency]; seen {
				continue
			}
			if len(before) == MaxReach {
				return nil, ErrTooMany
			}
			before[dependency] = at
			queue = append(queue, dependency)
		}
	}
	return nil, nil
}

// way returns the way from name to last, and back to name.
func way(before map[string]string, name, last string) Path {
	path := Path{name}
	for at := last; at != name; at = before[at] {
		path = append(path, at)
	}
	path = append(path, name)
	slices.Reverse(path)
	return path
}
