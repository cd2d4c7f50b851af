// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package workers runs the reconcile function of a controller over a
// rate-limited queue of object names.
package workers

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// How a failed reconcile is tried again: at first soon, at last once a minute.
const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = time.Minute
)

// Reconcile brings one object a step further. It is never called twice at once
// for the same name by the same pool. A positive duration asks to be called
// again after it; an error, to be called again with backoff.
type Reconcile func(ctx context.Context, key types.NamespacedName) (time.Duration, error)

// Observe is told of every call of Reconcile.
type Observe func(pool string, took time.Duration, err error)

// Pool is a queue of names and the workers that empty it.
type Pool struct {
	name      string
	reconcile Reconcile
	observe   Observe
	queue     workqueue.TypedRateLimitingInterface[types.NamespacedName]
}

// NewPool makes a pool; its queue takes names before Run is called. The name
// appears in logs and metrics.
func NewPool(name string, reconcile Reconcile, observe Observe) *Pool {
	return &Pool{
		name:      name,
		reconcile: reconcile,
		observe:   observe,
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[types.NamespacedName](minBackoff, maxBackoff),
			workqueue.TypedRateLimitingQueueConfig[types.NamespacedName]{Name: name}),
	}
}

// Add has the object reconciled as soon as a worker is free.
func (p *Pool) Add(key types.NamespacedName) { p.queue.Add(key) }

// AddAfter has the object reconciled after a while.
func (p *Pool) AddAfter(key types.NamespacedName, after time.Duration) {
	p.queue.AddAfter(key, after)
}

// AddObject adds an object as an informer delivers it, tombstones included.
func (p *Pool) AddObject(obj any) {
	if key, ok := KeyOf(obj); ok {
		p.Add(key)
	}
}

// KeyOf returns the name of an object as an informer delivers it.
func KeyOf(obj any) (types.NamespacedName, bool) {
	key, err := cache.DeletionHandlingObjectToName(obj)
	if err != nil {
		runtime.HandleError(fmt.Errorf("naming an object of an informer: %w", err))
		return types.NamespacedName{}, false
	}
	return types.NamespacedName{Namespace: key.Namespace, Name: key.Name}, true
}

// Run reconciles with so many workers until ctx ends, and returns when the
// last of them has.
func (p *Pool) Run(ctx context.Context, workers int) {
	var wg sync.WaitGroup
	stop := context.AfterFunc(ctx, p.queue.ShutDown)
	defer stop()
	for range workers {
		wg.Go(func() {
			for p.next(ctx) {
			}
		})
	}
	wg.Wait()
}

func (p *Pool) next(ctx context.Context) bool {
	key, shutdown := p.queue.Get()
	if shutdown {
		return false
	}
	defer p.queue.Done(key)
	if ctx.Err() != nil {
		return false
	}
	logger := klog.FromContext(ctx).WithValues("controller", p.name, "object", key)
	start := time.Now()
	after, err := p.guarded(klog.NewContext(ctx, logger), key)
	p.observe(p.name, time.Since(start), err)
	switch {
	case err != nil && ctx.Err() != nil:
		// The process is stopping: whoever comes next takes it up.
	case err != nil:
		logger.V(1).Info("Reconcile failed, will try again", "err", err)
		p.queue.AddRateLimited(key)
	default:
		p.queue.Forget(key)
		if after > 0 {
			p.queue.AddAfter(key, after)
		}
	}
	return true
}

// guarded turns a panic into an error, so that one object that a controller
// cannot handle does not stop the work on all others.
func (p *Pool) guarded(ctx context.Context, key types.NamespacedName) (after time.Duration, err error) {
	defer func() {
		if r := recover(); r != nil {
			klog.FromContext(ctx).Error(nil, "Reconcile panicked", "panic", r, "stack", string(debug.Stack()))
			after, err = 0, fmt.Errorf("reconciling %s %s: panic: %v", p.name, key, r)
		}
	}()
	return p.reconcile(ctx, key)
}
