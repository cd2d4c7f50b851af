// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// countKey is the annotation in which an object is counted on with each write.
const countKey = "traffic.test/count"

func countOf(o *v1alpha1.Integration) int {
	count, err := strconv.Atoi(o.Annotations[countKey])
	if err != nil {
		return 0 // None of ours.
	}
	return count
}

// object is what was written to one, each only by one client at a time.
type object struct {
	// counts are the writes that were acknowledged.
	counts []int
	// asked is the last count that was asked for, acknowledged or not.
	asked int
	// deleted is whether that was acknowledged, deletionAsked whether it was tried.
	deleted, deletionAsked bool
}

// seen is what a watch saw of an object.
type seen struct {
	counts map[int]bool
	// listed is the count in the last list, which is all that there is to see of
	// those before it.
	listed  int
	deleted bool
}

// ledger has all writes, and what watches saw of them.
type ledger struct {
	mu      sync.Mutex
	objects map[string]*object
	// watches is by route and object.
	watches map[string]map[string]*seen
}

func newLedger() *ledger {
	return &ledger{objects: map[string]*object{}, watches: map[string]map[string]*seen{}}
}

// asks notes that a write is tried.
func (l *ledger) asks(name string, count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.objects[name] == nil {
		l.objects[name] = &object{}
	}
	l.objects[name].asked = count
}

// acknowledged notes that a write was.
func (l *ledger) acknowledged(name string, count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.objects[name].counts = append(l.objects[name].counts, count)
}

func (l *ledger) asksDeletion(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.objects[name].deletionAsked = true
}

func (l *ledger) acknowledgedDeletion(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.objects[name].deleted = true
}

func (l *ledger) watched(route string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watches[route] = map[string]*seen{}
}

// sees notes an event of a watch.
func (l *ledger) sees(route string, o *v1alpha1.Integration, gone bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.watches[route][o.Name]
	if s == nil {
		s = &seen{counts: map[int]bool{}}
		l.watches[route][o.Name] = s
	}
	s.counts[countOf(o)] = true
	s.deleted = s.deleted || gone || o.DeletionTimestamp != nil
}

// relists notes a list in the place of events. What is not in it was deleted before.
func (l *ledger) relists(route string, items []v1alpha1.Integration) {
	there := map[string]bool{}
	for i := range items {
		l.sees(route, &items[i], false)
		there[items[i].Name] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range items {
		l.watches[route][items[i].Name].listed = countOf(&items[i])
	}
	for name, o := range l.objects {
		if !there[name] && o.deletionAsked {
			l.watches[route][name] = &seen{deleted: true, listed: math.MaxInt}
		}
	}
}

func (l *ledger) writes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	total := 0
	for _, o := range l.objects {
		total += len(o.counts)
		if o.deleted {
			total++
		}
	}
	return total
}

// check compares what there is with what was acknowledged. A write whose answer was
// lost may have been done or not.
func (l *ledger) check(items []v1alpha1.Integration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	there := map[string]*v1alpha1.Integration{}
	for i := range items {
		there[items[i].Name] = &items[i]
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(l.objects)) {
		if err := l.objects[name].check(there[name]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		for route, watch := range l.watches {
			if err := l.objects[name].checkSeen(watch[name]); err != nil {
				errs = append(errs, fmt.Errorf("%s, watched by way of the %s: %w", name, route, err))
			}
		}
	}
	const most = 20
	if left := len(errs) - most; left > 0 {
		errs = append(errs[:most], fmt.Errorf("and %d more", left))
	}
	return errors.Join(errs...)
}

func (o *object) check(there *v1alpha1.Integration) error {
	last := 0
	if len(o.counts) > 0 {
		last = o.counts[len(o.counts)-1]
	}
	switch {
	case there == nil && last > 0 && !o.deletionAsked:
		return errors.New("it was acknowledged, and is lost")
	case there == nil:
		return nil
	case o.deleted && there.DeletionTimestamp == nil:
		return errors.New("its deletion was acknowledged, and it is there")
	case countOf(there) < last || countOf(there) > o.asked:
		return fmt.Errorf("its count is %d; %d was acknowledged, and %d asked for", countOf(there), last, o.asked)
	}
	return nil
}

func (o *object) checkSeen(s *seen) error {
	if s == nil {
		s = &seen{}
	}
	for _, count := range o.counts {
		if !s.counts[count] && count > s.listed {
			return fmt.Errorf("count %d was not seen", count)
		}
	}
	if o.deleted && !s.deleted {
		return errors.New("its deletion was not seen")
	}
	return nil
}
