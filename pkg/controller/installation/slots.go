// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
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
}

// take takes a slot on a target, and returns what gives it back, which may be
// called more than once. No target gets more than half of all: one that
// swallows requests must leave room for the others. ok is false when there is
// none.
func (s *slots) take(target types.NamespacedName, all int) (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= all || s.byTarget[target] >= (all+1)/2 {
		return nil, false
	}
	if s.byTarget == nil {
		s.byTarget = map[types.NamespacedName]int{}
	}
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
