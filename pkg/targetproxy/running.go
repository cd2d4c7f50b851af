// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"context"
	"sync"
	"time"
)

// stopGrace is for how long requests may go on that were under way when the
// server stops. Whoever is cut off in a watch or a session connects again.
const stopGrace = 2 * time.Second

// running knows the requests that are being passed on.
type running struct {
	mu       sync.Mutex
	stopping bool
	count    int
	// idle is closed when the last one ends while stopping.
	idle chan struct{}
	// ended is closed when those that are left are cut off.
	ended chan struct{}
}

func newRunning() *running {
	return &running{idle: make(chan struct{}), ended: make(chan struct{})}
}

// begin returns the context of a request, and what is called at its end.
func (r *running) begin(parent context.Context) (_ context.Context, done func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping {
		return nil, nil, false
	}
	r.count++
	ctx, cancel := context.WithCancel(parent)
	go func() {
		select {
		case <-r.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.count--; r.count == 0 && r.stopping {
			close(r.idle)
		}
	}, true
}

func (r *running) stop() {
	r.mu.Lock()
	if r.stopping {
		r.mu.Unlock()
		return
	}
	r.stopping = true
	if r.count == 0 {
		close(r.idle)
	}
	r.mu.Unlock()
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-r.idle:
	case <-timer.C:
	}
	close(r.ended)
}
