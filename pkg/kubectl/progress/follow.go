// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/pkg/kubectl/fleet"
)

// Work is an Integration, and what is waited for on its targets.
type Work struct {
	types.NamespacedName
	Judge Judge
}

// judge judges what was seen. A failure is looked at again: of an Integration
// and its Installations, which are watched one beside the other, one may be seen
// that is newer than the other, and say of the new spec what was true of the old.
func (w *Work) judge(ctx context.Context, client versioned.Interface, seen fleet.Entry) ([]Item, error) {
	items := w.Judge(seen)
	if !over(items) || len(Failures(items, false)) == 0 {
		return items, nil
	}
	// The Integration is read first: its Installations are then as new, or newer.
	fresh, err := fleet.Read(ctx, client, w.Namespace, w.Name)
	if err != nil {
		return nil, err
	}
	return w.Judge(fresh[0]), nil
}

// Error says on which targets work failed, or did not end in time.
type Error struct {
	// Summary says how many of how many.
	Summary string
	// Reasons has a line for each.
	Reasons []string
}

// reasonsShown bounds the lines of an Error.
const reasonsShown = 20

// Error returns the summary and the reasons.
func (e *Error) Error() string {
	lines := append([]string{e.Summary + ":"}, e.Reasons[:min(len(e.Reasons), reasonsShown)]...)
	if more := len(e.Reasons) - reasonsShown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n  ")
}

// errOver ends a watch when all is over.
var errOver = errors.New("all is over")

// Follow shows works until all are over, and returns an *Error when some failed
// or did not end before the timeout.
func Follow(ctx context.Context, client versioned.Interface, works []Work, timeout time.Duration, report *Reporter) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	board := &board{items: make([][]Item, len(works)), report: report}
	for n, work := range works {
		board.items[n] = []Item{{Name: work.Name, Phase: "Waiting"}}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for n, work := range works {
		group.Go(func() error {
			return fleet.Watch(groupCtx, client, work.Namespace, work.Name, func(entries []fleet.Entry) error {
				if len(entries) == 0 {
					return board.put(n, []Item{{Name: work.Name, State: Failed, Phase: "Gone", Message: "it was deleted"}})
				}
				items, err := work.judge(groupCtx, client, entries[0])
				if err != nil {
					return err
				}
				return board.put(n, items)
			})
		})
	}
	err := group.Wait()
	if err != nil && !errors.Is(err, errOver) {
		return err
	}
	return board.verdict(err, ctx, timeout)
}

// board gathers the items of all works.
type board struct {
	report *Reporter

	mu sync.Mutex
	// items are those of each work, in its place.
	items [][]Item
}

func (b *board) all() []Item {
	var all []Item
	for _, items := range b.items {
		all = append(all, items...)
	}
	return all
}

func (b *board) put(n int, items []Item) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items[n] = items
	all := b.all()
	if err := b.report.Show(all); err != nil {
		return err
	}
	if over(all) {
		return errOver
	}
	return nil
}

func (b *board) verdict(err error, ctx context.Context, timeout time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.all()
	switch {
	case err != nil:
		if failed := Failures(all, false); len(failed) > 0 {
			return &Error{Summary: fmt.Sprintf("%d of %d failed", len(failed), len(all)), Reasons: failed}
		}
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		left := Failures(all, true)
		return &Error{Summary: fmt.Sprintf("%d of %d are not done after %s", len(left), len(all), timeout), Reasons: left}
	default:
		return fmt.Errorf("interrupted; the work goes on: see kubectl ksit status")
	}
}
