// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"errors"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// errSuperseded ends an operation that is no longer what is wanted.
var errSuperseded = errors.New("the spec changed")

// operations are the installs, upgrades and uninstalls that go on, at most one
// for an Installation.
type operations struct {
	mu      sync.Mutex
	running map[types.NamespacedName]*operation
}

type operation struct {
	// digest is that of what is being installed; empty for an uninstall.
	digest string
	cancel context.CancelCauseFunc
}

// begin registers an operation. The context it returns ends with ctx, or when
// the operation is superseded. The second result is false when one goes on
// already.
func (o *operations) begin(ctx context.Context, key types.NamespacedName, digest string) (context.Context, func(), bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.running == nil {
		o.running = map[types.NamespacedName]*operation{}
	}
	if _, busy := o.running[key]; busy {
		return nil, nil, false
	}
	ctx, cancel := context.WithCancelCause(ctx)
	o.running[key] = &operation{digest: digest, cancel: cancel}
	return ctx, func() {
		o.mu.Lock()
		delete(o.running, key)
		o.mu.Unlock()
		cancel(nil)
	}, true
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
