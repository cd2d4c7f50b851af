// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// maxSuggestions bounds the versions or charts that an error lists.
const maxSuggestions = 5

// versionRange is the version of a chart that is asked for: exact, or a range.
// The rules are Helm's: an exact match of the text wins, a leading v does not
// count, prereleases are only considered where the range names one, and an
// empty range is any released version.
type versionRange struct {
	text        string
	constraints *semver.Constraints
}

func parseRange(text string) (versionRange, error) {
	text = strings.TrimSpace(text)
	constraint := text
	if constraint == "" {
		constraint = "*"
	}
	c, err := semver.NewConstraint(constraint)
	if err != nil {
		return versionRange{}, fmt.Errorf("%q is neither a version, such as 1.2.3, nor a range, such as ~1.2", text)
	}
	return versionRange{text: text, constraints: c}, nil
}

// exact returns the version if it is one rather than a range.
func (r versionRange) exact() (string, bool) {
	if _, err := semver.StrictNewVersion(strings.TrimPrefix(r.text, "v")); err != nil {
		return "", false
	}
	return r.text, true
}

// admits tells whether a version is one that is asked for.
func (r versionRange) admits(version string) bool {
	if r.text != "" && r.text == version {
		return true
	}
	v, err := semver.NewVersion(version)
	if err != nil {
		return false
	}
	// Build metadata does not count in a constraint, but 1.0.0+a is not 1.0.0+b.
	if exact, ok := r.exact(); ok {
		if want, err := semver.NewVersion(exact); err == nil && want.Metadata() != "" && want.Metadata() != v.Metadata() {
			return false
		}
	}
	return r.constraints.Check(v)
}

// pick returns the newest of the versions that is admitted, and false where
// none is.
func (r versionRange) pick(versions []string) (string, bool) {
	if r.text != "" && slices.Contains(versions, r.text) {
		return r.text, true
	}
	for _, v := range newestFirst(versions) {
		if r.admits(v) {
			return v, true
		}
	}
	return "", false
}

// newestFirst sorts versions; what is no semantic version is left out, as Helm
// does.
func newestFirst(versions []string) []string {
	type parsed struct {
		text    string
		version *semver.Version
	}
	all := make([]parsed, 0, len(versions))
	for _, text := range versions {
		if v, err := semver.NewVersion(text); err == nil {
			all = append(all, parsed{text, v})
		}
	}
	slices.SortStableFunc(all, func(a, b parsed) int {
		if c := b.version.Compare(a.version); c != 0 {
			return c
		}
		return cmp.Compare(b.text, a.text)
	})
	sorted := make([]string, len(all))
	for i, p := range all {
		sorted[i] = p.text
	}
	return sorted
}

// newest says which versions there are, the newest ones, for an error.
func newest(versions []string) string {
	sorted := newestFirst(versions)
	switch {
	case len(sorted) == 0:
		return "there is none"
	case len(sorted) > maxSuggestions:
		return "the newest are " + strings.Join(sorted[:maxSuggestions], ", ")
	default:
		return "there are " + strings.Join(sorted, ", ")
	}
}

// near returns the names that come closest to one that was not found.
func near(name string, names []string) string {
	type scored struct {
		name  string
		score int
	}
	var candidates []scored
	for _, n := range names {
		score := distance(name, n)
		if strings.Contains(n, name) || strings.Contains(name, n) {
			score = 1
		}
		if score <= max(2, min(len(name)/3, 10)) {
			candidates = append(candidates, scored{n, score})
		}
	}
	slices.SortFunc(candidates, func(a, b scored) int {
		return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.name, b.name))
	})
	var out []string
	for _, c := range candidates[:min(len(candidates), maxSuggestions)] {
		out = append(out, c.name)
	}
	return strings.Join(out, ", ")
}

// distance is the number of insertions, deletions and replacements between two
// names. Names longer than any chart's are taken to be far apart.
func distance(a, b string) int {
	const longest = 128
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
