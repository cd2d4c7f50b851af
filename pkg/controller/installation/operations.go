// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/types"
)

// Why an operation is ended before its time.
var (
	// errSuperseded: it is no longer what is wanted.
	errSuperseded = errors.New("something else is asked for by now")
	// errTargetLost: its target does not answer any more.
	errTargetLost = errors.New("the target was lost")
)

// operations are the installs, upgrades and uninstalls that go on, at most one
// for an Installation.
type operations struct {
	mu      sync.Mutex
	running map[types.NamespacedName]*operation
}

type operation struct {
	// digest is that of what is being installed, or names the request that is
	// carried out; empty for an uninstall.
	digest string
	cancel context.CancelCauseFunc
	// waits is true when all that is left is to wait.
	waits atomic.Bool
	// end is called when it has ended.
	end func()
}

// wait notes that all that is left is to wait.
func (o *operation) wait() { o.waits.Store(true) }

// begin registers an operation. The context it returns ends with ctx, or when
// the operation is ended before its time. The third result is false when one
// goes on already.
func (o *operations) begin(ctx context.Context, key types.NamespacedName, digest string) (context.Context, *operation, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.running == nil {
		o.running = map[types.NamespacedName]*operation{}
	}
	if _, busy := o.running[key]; busy {
		return nil, nil, false
	}
	ctx, cancel := context.WithCancelCause(ctx)
	begun := &operation{digest: digest, cancel: cancel}
	begun.end = func() {
		o.mu.Lock()
		delete(o.running, key)
		o.mu.Unlock()
		cancel(nil)
	}
	o.running[key] = begun
	return ctx, begun, true
}

// supersede ends the operation that goes on, unless it does what is wanted. It
// tells whether one goes on.
func (o *operations) supersede(key types.NamespacedName, wanted string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	running, busy := o.running[key]
	if busy && running.digest != wanted {
		running.cancel(errSuperseded)
	}
	return busy
}

// loseTarget ends the operation that goes on if it is still at work: its
// requests would hang, and keep a slot from those that can go on. One that only
// waits may see its target come back.
func (o *operations) loseTarget(key types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if running, busy := o.running[key]; busy && !running.waits.Load() {
		running.cancel(errTargetLost)
	}
}

// count tells how many operations act on their target, and how many only wait.
func (o *operations) count() (working, settling int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, running := range o.running {
		if running.waits.Load() {
			settling++
		} else {
			working++
		}
	}
	return working, settling
}
