// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package workers

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestPoolRetriesAfterErrorsAndPanics(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var calls atomic.Int32
	done := make(chan struct{})
	var errs []error
	pool := NewPool("test", func(context.Context, types.NamespacedName) (time.Duration, error) {
		switch calls.Add(1) {
		case 1:
			return 0, errors.New("once")
		case 2:
			panic("twice")
		case 3:
			return time.Millisecond, nil
		case 4:
			close(done)
		}
		return 0, nil
	}, func(_ string, _ time.Duration, err error) { errs = append(errs, err) })
	pool.Add(types.NamespacedName{Namespace: "a", Name: "b"})
	finished := make(chan struct{})
	go func() { pool.Run(ctx, 1); close(finished) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("gave up after %d calls", calls.Load())
	}
	cancel()
	<-finished
	if len(errs) < 3 || errs[0] == nil || errs[1] == nil || errs[2] != nil {
		t.Errorf("observed %v, want an error, a panic as an error, then success", errs)
	}
}

func TestPoolRunWaitsForWorkers(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	started, released := make(chan struct{}), make(chan struct{})
	pool := NewPool("test", func(ctx context.Context, _ types.NamespacedName) (time.Duration, error) {
		once.Do(func() { close(started) })
		<-ctx.Done()
		<-released
		return 0, ctx.Err()
	}, func(string, time.Duration, error) {})
	pool.Add(types.NamespacedName{Name: "slow"})
	finished := make(chan struct{})
	go func() { pool.Run(ctx, 2); close(finished) }()
	<-started
	cancel()
	select {
	case <-finished:
		t.Fatal("Run returned while a worker was still at work")
	case <-time.After(50 * time.Millisecond):
	}
	close(released)
	<-finished
}
