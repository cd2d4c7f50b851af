// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package workers

import (
	"sync"
	"time"
)

// relief says when a worker that is held up no longer counts.
type relief struct {
	after time.Duration
	most  int
}

// WithRelief has another worker take the place of one that has been busy with one
// object for a while, so that a few that wait for long do not hold up all
// others. There are never more than most workers. It is called before Run.
func (p *Pool) WithRelief(after time.Duration, most int) *Pool {
	p.relief = relief{after: after, most: most}
	return p
}

// crew are the workers of a Pool while it runs.
type crew struct {
	relief
	// work does one piece of work, and tells whether the worker goes on.
	work func(*crew) bool

	wait sync.WaitGroup
	mu   sync.Mutex
	size int
}

// run returns when the last worker has ended.
func (c *crew) run(workers int) {
	for range workers {
		c.join()
	}
	c.wait.Wait()
}

func (c *crew) join() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joinLocked()
}

func (c *crew) joinLocked() {
	c.size++
	c.wait.Go(func() {
		for c.work(c) {
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.size--
	})
}

// hold is called when a worker begins, and what it returns when it is through:
// that tells whether another has taken the worker's place, which then ends.
func (c *crew) hold() (released func() bool) {
	if c.after <= 0 {
		return func() bool { return false }
	}
	through, replaced := false, false
	timer := time.AfterFunc(c.after, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !through && c.size < c.most {
			replaced = true
			c.joinLocked()
		}
	})
	return func() bool {
		timer.Stop()
		c.mu.Lock()
		defer c.mu.Unlock()
		through = true
		return replaced
	}
}
