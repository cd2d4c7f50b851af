// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// LeaderElection says which Lease on the host cluster makes a process the
// leader, and how fast another takes over.
type LeaderElection struct {
	Namespace string
	Name      string
	// Identity names this process; it must be unique among the replicas.
	Identity string
	// LeaseDuration is how long a leader that is no longer heard of is waited
	// for; RenewDeadline how long the leader tries to renew before it gives up;
	// RetryPeriod the time between tries.
	LeaseDuration time.Duration
	RenewDeadline time.Duration
	RetryPeriod   time.Duration
}

// ErrLeadershipLost is returned when another process took the lead, or the
// Lease could not be renewed.
var ErrLeadershipLost = errors.New("leadership was lost")

type elector struct {
	config LeaderElection
	lock   resourcelock.Interface
}

func newElector(config LeaderElection, client kubernetes.Interface) (*elector, error) {
	if config.Identity == "" {
		return nil, errors.New("leader election needs an identity")
	}
	return &elector{config: config, lock: &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: config.Namespace, Name: config.Name},
		Client:     client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: config.Identity},
	}}, nil
}

// run calls work once this process leads, with a context that ends with ctx or
// with the lead. The Lease is given back only after work has returned, so that
// there are never two at work.
func (e *elector) run(ctx context.Context, work func(context.Context) error) error {
	logger := klog.FromContext(ctx)
	election, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()

	var mu sync.Mutex
	var leading bool
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !leading {
			leave()
		}
	})
	defer stop()

	done := make(chan error, 1)
	lead := newFence(e.lock, e.config.LeaseDuration)
	defer lead.stop()
	config := leaderelection.LeaderElectionConfig{
		Lock:            lead,
		LeaseDuration:   e.config.LeaseDuration,
		RenewDeadline:   e.config.RenewDeadline,
		RetryPeriod:     e.config.RetryPeriod,
		ReleaseOnCancel: true,
		Name:            e.config.Name,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(elected context.Context) {
				mu.Lock()
				leading = true
				mu.Unlock()
				logger.Info("This process leads", "identity", e.config.Identity)
				worked, end := context.WithCancel(elected)
				defer context.AfterFunc(ctx, end)()
				defer context.AfterFunc(lead.over, end)()
				defer end()
				done <- work(worked)
				leave()
			},
			OnStoppedLeading: func() {},
			OnNewLeader: func(identity string) {
				if identity != e.config.Identity {
					logger.Info("Another process leads", "identity", identity)
				}
			},
		},
	}
	elector, err := leaderelection.NewLeaderElector(config)
	if err != nil {
		return fmt.Errorf("setting up the election of a leader: %w", err)
	}
	elector.Run(election)

	mu.Lock()
	led := leading
	mu.Unlock()
	if !led {
		return nil
	}
	if err := <-done; err != nil {
		return err
	}
	if ctx.Err() == nil {
		return ErrLeadershipLost
	}
	return nil
}
