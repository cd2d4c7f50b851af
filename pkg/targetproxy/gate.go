// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// gate bounds how many requests are being passed on to a target at once, and
// how many of them are one caller's: requests that are passed on take no seats
// of the API server, because a watch would hold one for hours.
type gate struct {
	perTarget, perCaller int

	mu      sync.Mutex
	targets map[types.NamespacedName]*passing
}

// passing counts the requests to one target.
type passing struct {
	all     int
	callers map[string]int
}

func newGate(perTarget, perCaller int) *gate {
	return &gate{perTarget: perTarget, perCaller: perCaller, targets: map[types.NamespacedName]*passing{}}
}

// enter lets a request in, or returns false. Whoever was let in calls leave.
func (g *gate) enter(target types.NamespacedName, caller string) (leave func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.targets[target]
	if at == nil {
		at = &passing{callers: map[string]int{}}
	}
	if at.all >= g.perTarget || at.callers[caller] >= g.perCaller {
		return nil, false
	}
	g.targets[target] = at
	at.all++
	at.callers[caller]++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		at.all--
		if at.callers[caller]--; at.callers[caller] == 0 {
			delete(at.callers, caller)
		}
		if at.all == 0 {
			delete(g.targets, target)
		}
	}, true
}
