// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const (
	// settle is when an Integration is looked at again whose Installations the
	// cache does not yet show as they were written.
	settle = 50 * time.Millisecond
	// unseenAfter is when what was written is no longer waited for: somebody
	// else has deleted it, or the watch is broken, which is no reason to stop.
	unseenAfter = 10 * time.Second
)

// writes remember how Installations were last written, until the cache shows
// it. Without them a rollout would, now and then, begin on more clusters than it
// may: it would not see those that it has just begun on.
type writes struct {
	mu    sync.Mutex
	byKey map[types.NamespacedName]written
}

// written holds generations by target.
type written struct {
	at          time.Time
	generations map[string]int64
}

// expect notes what differs between two states of an Integration's
// Installations. It matters for a rollout only.
func (w *writes) expect(integration *v1alpha1.Integration, before, after map[string]*v1alpha1.Installation) {
	if integration.Spec.Rollout == nil {
		return
	}
	generations := map[string]int64{}
	for target, installation := range after {
		if old := before[target]; old == nil || old.Generation != installation.Generation {
			generations[target] = installation.Generation
		}
	}
	if len(generations) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byKey == nil {
		w.byKey = map[types.NamespacedName]written{}
	}
	w.byKey[types.NamespacedName{Namespace: integration.Namespace, Name: integration.Name}] = written{at: time.Now(), generations: generations}
}

// seen tells whether the cache shows what was written.
func (w *writes) seen(key types.NamespacedName, cached map[string]*v1alpha1.Installation) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, found := w.byKey[key]
	if !found {
		return true
	}
	if time.Since(last.at) < unseenAfter {
		for target, generation := range last.generations {
			if installation := cached[target]; installation == nil || installation.Generation < generation {
				return false
			}
		}
	}
	delete(w.byKey, key)
	return true
}

func (w *writes) forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byKey, key)
}
