// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// fence ends a lead when the Lease is over that it rests on. An elector only
// notices that its renewals fail: where the whole process was stopped, or its
// machine, it goes on for a renew deadline after it wakes up, although another
// leads by then. A timer that runs out meanwhile fires at once.
type fence struct {
	resourcelock.Interface

	// over is done when the Lease was not renewed in time.
	over     context.Context
	duration time.Duration
	timer    *time.Timer
	stop     func()
}

// newFence wraps a lock. The time begins with the first Lease that is written;
// stop ends the fence.
func newFence(lock resourcelock.Interface, duration time.Duration) *fence {
	over, cancel := context.WithCancel(context.Background())
	timer := time.AfterFunc(duration, cancel)
	timer.Stop()
	return &fence{Interface: lock, over: over, duration: duration, timer: timer, stop: func() {
		timer.Stop()
		cancel()
	}}
}

// Create writes the first Lease.
func (f *fence) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	asked := time.Now()
	return f.extend(asked, f.Interface.Create(ctx, record))
}

// Update takes or renews the Lease, or gives it back.
func (f *fence) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	asked := time.Now()
	return f.extend(asked, f.Interface.Update(ctx, record))
}

// extend counts from when the Lease was asked for: that is the time that stands
// in it, and that the others go by.
func (f *fence) extend(asked time.Time, err error) error {
	if err == nil {
		f.timer.Reset(f.duration - time.Since(asked))
	}
	return err
}
