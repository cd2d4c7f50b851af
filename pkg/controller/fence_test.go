// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// slowLock is a Lease whose server takes a while, and then answers err.
type slowLock struct {
	resourcelock.Interface
	takes time.Duration
	err   error
}

func (l *slowLock) Update(context.Context, resourcelock.LeaderElectionRecord) error {
	time.Sleep(l.takes)
	return l.err
}

func (l *slowLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.Update(ctx, record)
}

func TestFence(t *testing.T) {
	const duration, takes = 15 * time.Second, 2 * time.Second
	for name, tc := range map[string]struct {
		renew func(*fence, *slowLock)
		// lasts is how long after its last renewal a lead is not over.
		lasts time.Duration
	}{
		"counts from when the Lease was asked for": {func(f *fence, _ *slowLock) {
			_ = f.Create(context.Background(), resourcelock.LeaderElectionRecord{})
		}, duration - takes},
		"is extended by a renewal": {func(f *fence, _ *slowLock) {
			_ = f.Create(context.Background(), resourcelock.LeaderElectionRecord{})
			time.Sleep(10 * time.Second)
			_ = f.Update(context.Background(), resourcelock.LeaderElectionRecord{})
		}, duration - takes},
		"is not extended by one that fails": {func(f *fence, l *slowLock) {
			_ = f.Create(context.Background(), resourcelock.LeaderElectionRecord{})
			l.err = errors.New("conflict")
			_ = f.Update(context.Background(), resourcelock.LeaderElectionRecord{})
		}, duration - 2*takes},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lock := &slowLock{takes: takes}
				f := newFence(lock, duration)
				defer f.stop()
				tc.renew(f, lock)
				time.Sleep(tc.lasts - time.Millisecond)
				synctest.Wait()
				if f.over.Err() != nil {
					t.Error("over too early")
				}
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				if f.over.Err() == nil {
					t.Error("not over in time")
				}
			})
		})
	}
	t.Run("does not begin before there is a Lease", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFence(&slowLock{}, duration)
			time.Sleep(time.Hour)
			synctest.Wait()
			if f.over.Err() != nil {
				t.Error("over before it began")
			}
			f.stop()
		})
	})
}
