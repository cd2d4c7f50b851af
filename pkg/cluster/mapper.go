// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/restmapper"
)

// A reset makes the next lookup fetch all of discovery. Resets come in swarms,
// when several installs make CRDs on one target, so they are collapsed, and
// the fetches are bounded: some at once, then one each half second.
const (
	resetInterval = 500 * time.Millisecond
	resetBurst    = 8
)

// mapper is a RESTMapper whose Reset is cheap and can be called at any rate.
type mapper struct {
	delegate *restmapper.DeferredDiscoveryRESTMapper
	limiter  *rate.Limiter

	mu    sync.Mutex
	stale bool
}

var _ meta.ResettableRESTMapper = &mapper{}

func newMapper(cached discovery.CachedDiscoveryInterface) *mapper {
	return &mapper{
		delegate: restmapper.NewDeferredDiscoveryRESTMapper(cached),
		limiter:  rate.NewLimiter(rate.Every(resetInterval), resetBurst),
	}
}

// Reset makes the next lookup see what the target serves then.
func (m *mapper) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stale = true
}

// fresh drops what is cached if a reset was asked for. Lookups wait meanwhile:
// answering from the old state would break the promise of Reset.
func (m *mapper) fresh() *restmapper.DeferredDiscoveryRESTMapper {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stale {
		// Without a deadline, and asking for one, Wait cannot fail.
		_ = m.limiter.Wait(context.Background())
		m.delegate.Reset()
		m.stale = false
	}
	return m.delegate
}

func (m *mapper) KindFor(resource schema.GroupVersionResource) (schema.GroupVersionKind, error) {
	return m.fresh().KindFor(resource)
}

func (m *mapper) KindsFor(resource schema.GroupVersionResource) ([]schema.GroupVersionKind, error) {
	return m.fresh().KindsFor(resource)
}

func (m *mapper) ResourceFor(input schema.GroupVersionResource) (schema.GroupVersionResource, error) {
	return m.fresh().ResourceFor(input)
}

func (m *mapper) ResourcesFor(input schema.GroupVersionResource) ([]schema.GroupVersionResource, error) {
	return m.fresh().ResourcesFor(input)
}

func (m *mapper) RESTMapping(gk schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	return m.fresh().RESTMapping(gk, versions...)
}

func (m *mapper) RESTMappings(gk schema.GroupKind, versions ...string) ([]*meta.RESTMapping, error) {
	return m.fresh().RESTMappings(gk, versions...)
}

func (m *mapper) ResourceSingularizer(resource string) (string, error) {
	return m.fresh().ResourceSingularizer(resource)
}
