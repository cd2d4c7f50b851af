// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package changes shows what an apply would change on targets: as one diff for
// all targets on which it is the same.
package changes

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Answer is what would change on a target.
type Answer struct {
	// Target is its name.
	Target string
	// Before are the releases that it has.
	Before []v1alpha1.ReleaseStatus
	// Diff is what the server said.
	Diff v1alpha1.InstallationDiffStatus
	// Err is why it could not say.
	Err error
}

// Group is the targets on which the same would change.
type Group struct {
	Targets []string
	Answer  Answer
}

// Collapse puts targets together whose answers are the same, in the order in
// which each answer came first. Answers that are errors are left out.
func Collapse(answers []Answer) ([]Group, error) {
	var groups []Group
	at := map[[sha256.Size]byte]int{}
	for _, answer := range answers {
		if answer.Err != nil {
			continue
		}
		// What a target has beside its releases' charts and versions, such as the
		// number of a revision, is no difference of the change.
		data, err := json.Marshal([]any{versions(answer.Before), versions(answer.Diff.Releases), answer.Diff.Objects, answer.Diff.Summary, answer.Diff.Notes, answer.Diff.Truncated})
		if err != nil {
			return nil, fmt.Errorf("comparing the answer of %s: %w", answer.Target, err)
		}
		digest := sha256.Sum256(data)
		if n, known := at[digest]; known {
			groups[n].Targets = append(groups[n].Targets, answer.Target)
			continue
		}
		at[digest] = len(groups)
		groups = append(groups, Group{Targets: []string{answer.Target}, Answer: answer})
	}
	return groups, nil
}

// version is what of a release a diff is about.
type version struct{ Name, Namespace, Chart, Version string }

func versions(releases []v1alpha1.ReleaseStatus) []version {
	all := make([]version, 0, len(releases))
	for _, r := range releases {
		all = append(all, version{r.Name, r.Namespace, r.Chart, r.Version})
	}
	return all
}

// Differs tells whether an apply would change anything.
func (a *Answer) Differs() bool {
	s := a.Diff.Summary
	return s.Added+s.Changed+s.Removed > 0 || a.Refused() > 0
}

// Refused counts the objects that the cluster would not take.
func (a *Answer) Refused() int {
	n := 0
	for _, object := range a.Diff.Objects {
		if object.Change == v1alpha1.DiffRefused {
			n++
		}
	}
	return n
}
