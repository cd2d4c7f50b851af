// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"
)

// Options are those of all connections of a Set.
type Options struct {
	// QPS and Burst bound the requests to one target, all its users together.
	// Defaults: 200 and 400.
	QPS   float32
	Burst int
	// UserAgent names KSIT and its version to the targets. Default: ksit.
	UserAgent string
	// AllowInsecure admits kubeconfigs that do not verify the server.
	AllowInsecure bool
}

// Set holds the connections by IntegrationTarget.
type Set struct {
	options Options

	mu      sync.Mutex
	closed  bool
	entries map[types.NamespacedName]entry
}

type entry struct {
	connection *Connection
	digest     [sha256.Size]byte
	// limiter outlives the connection: a target whose token is rotated every
	// minute has one bucket all the same.
	limiter flowcontrol.RateLimiter
	// used is when somebody last asked for the connection.
	used time.Time
}

// ErrClosed is returned by a Set that was closed.
var ErrClosed = errors.New("the connections to the targets are closed")

// NewSet returns an empty set.
func NewSet(options Options) *Set {
	if options.QPS <= 0 {
		options.QPS = 200
	}
	if options.Burst <= 0 {
		options.Burst = 400
	}
	if options.UserAgent == "" {
		options.UserAgent = "ksit"
	}
	return &Set{options: options, entries: map[types.NamespacedName]entry{}}
}

// Connect returns the connection to a target, which is the same while the
// content of the kubeconfig is. When the content changed, the connection is
// replaced, and the former one closed; when it is refused, the former one is
// closed as well, since its kubeconfig is no longer the target's. Connect sends
// nothing. An error that is the kubeconfig's fault is a *KubeconfigError.
func (s *Set) Connect(ctx context.Context, key types.NamespacedName, kubeconfig []byte) (*Connection, error) {
	digest := sha256.Sum256(kubeconfig)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	old, found := s.entries[key]
	if found && old.digest == digest {
		old.used = time.Now()
		s.entries[key] = old
		return old.connection, nil
	}
	connection, limiter, err := s.make(key, kubeconfig, old.limiter)
	if err != nil {
		if found {
			old.connection.close()
			delete(s.entries, key)
		}
		return nil, err
	}
	s.entries[key] = entry{connection: connection, digest: digest, limiter: limiter, used: time.Now()}
	if found {
		old.connection.close()
	}
	klog.FromContext(ctx).V(2).Info("Connection made", "target", key, "endpoint", connection.info.Endpoint, "replaced", found)
	return connection, nil
}

func (s *Set) make(key types.NamespacedName, kubeconfig []byte, limiter flowcontrol.RateLimiter) (*Connection, flowcontrol.RateLimiter, error) {
	config, info, err := ParseKubeconfig(kubeconfig, ParseOptions{AllowInsecure: s.options.AllowInsecure})
	if err != nil {
		return nil, nil, err
	}
	if limiter == nil {
		limiter = flowcontrol.NewTokenBucketRateLimiter(s.options.QPS, s.options.Burst)
	}
	config.UserAgent = s.options.UserAgent
	config.QPS, config.Burst, config.RateLimiter = s.options.QPS, s.options.Burst, limiter
	connection, err := newConnection(key, config, info)
	return connection, limiter, err
}

// Get returns the connection to a target, if there is one.
func (s *Set) Get(key types.NamespacedName) (*Connection, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, found := s.entries[key]
	if found {
		e.used = time.Now()
		s.entries[key] = e
	}
	return e.connection, found
}

// DropUnused closes the connections that nobody has asked for since a time, and
// returns how many. It is for a process that is not told when a target goes.
func (s *Set) DropUnused(since time.Time) int {
	var unused []*Connection
	s.mu.Lock()
	for key, e := range s.entries {
		if e.used.Before(since) {
			unused = append(unused, e.connection)
			delete(s.entries, key)
		}
	}
	s.mu.Unlock()
	for _, connection := range unused {
		connection.close()
	}
	return len(unused)
}

// Drop closes the connection to a target that is gone.
func (s *Set) Drop(key types.NamespacedName) {
	s.mu.Lock()
	e, found := s.entries[key]
	delete(s.entries, key)
	s.mu.Unlock()
	if found {
		e.connection.close()
	}
}

// Close closes all connections. There are no more of them afterwards.
func (s *Set) Close() {
	s.mu.Lock()
	entries := s.entries
	s.entries, s.closed = nil, true
	s.mu.Unlock()
	for _, e := range entries {
		e.connection.close()
	}
}
