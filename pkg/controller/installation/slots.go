// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// slotRetry is when an operation that found no slot looks again.
const slotRetry = time.Second

// slots bound the operations that are at work at once, in all and on each
// target. What has been applied and only waits to become ready holds none: a
// chart that takes ten minutes to start must not keep another from starting.
type slots struct {
	mu       sync.Mutex
	taken    int
	byTarget map[types.NamespacedName]int
	// refused is when each that waits for a slot last found none.
	refused map[types.NamespacedName]time.Time
}

// forgetRefused is how long one that found no slot counts as waiting: it looks
// again much sooner, unless it is no longer wanted.
const forgetRefused = 5 * slotRetry

// take takes a slot on a target for an Installation, and returns what gives it back, which may be
// called more than once. No target gets more than half of all: one that
// swallows requests must leave room for the others. ok is false when there is
// none.
func (s *slots) take(installation, target types.NamespacedName, all int) (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byTarget == nil {
		s.byTarget, s.refused = map[types.NamespacedName]int{}, map[types.NamespacedName]time.Time{}
	}
	if s.taken >= all || s.byTarget[target] >= (all+1)/2 {
		s.refused[installation] = time.Now()
		return nil, false
	}
	delete(s.refused, installation)
	s.taken++
	s.byTarget[target]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taken--
		if s.byTarget[target]--; s.byTarget[target] == 0 {
			delete(s.byTarget, target)
		}
	}), true
}

// waiting counts those that found no slot.
func (s *slots) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.refused, func(_ types.NamespacedName, at time.Time) bool { return time.Since(at) > forgetRefused })
	return len(s.refused)
}
