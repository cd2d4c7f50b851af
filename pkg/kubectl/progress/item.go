// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package progress follows work on targets until it is over, and shows how far
// it is.
package progress

import (
	"cmp"
	"fmt"
	"slices"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// State is whether something is over, and how it ended.
type State int

const (
	// Going means that it is not over.
	Going State = iota
	// Succeeded means that it is as it should be.
	Succeeded
	// Failed means that it will not become so by itself.
	Failed
)

// Item is the work on one target, or on an Integration that has none yet.
type Item struct {
	// Name says which target of which Integration.
	Name string
	// State is whether it is over.
	State State
	// Phase is what it is in the midst of.
	Phase v1alpha1.Phase
	// Done of Total steps were taken: the install, and the checks of health.
	Done, Total int
	// Message says what it waits for, or failed of.
	Message string
}

// Failures returns a line for each item that failed or, where going is true,
// that is not over.
func Failures(items []Item, going bool) []string {
	var lines []string
	for _, item := range items {
		if item.State == Failed || going && item.State == Going {
			line := fmt.Sprintf("%s is %s", item.Name, item.Phase)
			if item.Message != "" {
				line += ": " + item.Message
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// over tells whether no item goes on.
func over(items []Item) bool {
	return !slices.ContainsFunc(items, func(i Item) bool { return i.State == Going })
}

// inOrder sorts items: those that failed, then those that go on, then the rest.
func inOrder(items []Item) []Item {
	rank := func(s State) int { return map[State]int{Failed: 0, Going: 1, Succeeded: 2}[s] }
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, func(a, b Item) int { return cmp.Compare(rank(a.State), rank(b.State)) })
	return sorted
}
