// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
)

const (
	// A rotation takes some ten writes. The bound is for somebody who writes
	// against the Keeper.
	writesPerSecond = 0.5
	writesBurst     = 20
	// retryMin and retryMax are how long is waited after an error.
	retryMin = time.Second
	retryMax = 30 * time.Second
)

// Keeper makes and rotates authority and certificate. Of several, whose writes
// never undo each other, one is enough.
type Keeper struct {
	host    *host
	options Options
	metrics *Metrics
	writes  *rate.Limiter
	now     func() time.Time

	broadcaster events.EventBroadcaster
	events      events.EventRecorder
	said        string // The last reason to leave the APIService alone: said once.
}

// NewKeeper returns a Keeper of what the options name. It sends nothing before
// Run.
func NewKeeper(config *rest.Config, options Options, metrics *Metrics) (*Keeper, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making the client of the host cluster: %w", err)
	}
	anything, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making the client of the host cluster: %w", err)
	}
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: client.EventsV1()})
	return &Keeper{
		host:        &host{client: client, dynamic: anything, options: options},
		options:     options,
		metrics:     metrics,
		writes:      rate.NewLimiter(writesPerSecond, writesBurst),
		now:         time.Now,
		broadcaster: broadcaster,
		events:      broadcaster.NewRecorder(scheme.Scheme, "ksit-certificates"),
	}, nil
}

// Run keeps authority and certificate until ctx is done. Errors are logged, and
// what failed is tried again. It is not run twice.
func (k *Keeper) Run(ctx context.Context) {
	logger := klog.FromContext(ctx).WithName("certificates")
	ctx = klog.NewContext(ctx, logger)
	if err := k.broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		logger.Error(err, "Starting to record events about certificates")
	}
	defer k.broadcaster.Shutdown()

	changed := make(chan struct{}, 1)
	signal := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	var informers sync.WaitGroup
	defer informers.Wait()
	for _, informer := range k.host.informers() {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { signal() },
			UpdateFunc: func(any, any) { signal() },
			DeleteFunc: func(any) { signal() },
		})
		if err != nil {
			logger.Error(err, "Watching what certificates are made of")
		}
		informers.Go(func() { informer.RunWithContext(ctx) })
	}

	retry := retryMin
	for {
		after, err := k.settle(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			logger.Error(err, "Keeping the certificates", "retryAfter", retry)
			after, retry = retry, min(2*retry, retryMax)
		default:
			retry = retryMin
		}
		timer := time.NewTimer(after)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// settle takes one step after the other until there is nothing to do for now,
// and returns for how long.
func (k *Keeper) settle(ctx context.Context) (time.Duration, error) {
	for {
		if err := k.mayWrite(ctx); err != nil {
			return 0, err
		}
		after, err := k.step(ctx)
		if err != nil && !apierrors.IsConflict(err) {
			return 0, err
		}
		// After a conflict somebody else has done something: look again.
		if err == nil && after > 0 {
			return after, nil
		}
	}
}

// mayWrite waits until a write is within the bound. It comes before anything is
// read, so that what is written is of now.
func (k *Keeper) mayWrite(ctx context.Context) error {
	for {
		missing := 1 - k.writes.Tokens()
		if missing <= 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(missing / writesPerSecond * float64(time.Second))):
		}
	}
}

// step takes one step. It returns the time after which to look again, or 0 when
// there may be another step.
func (k *Keeper) step(ctx context.Context) (time.Duration, error) {
	f, err := k.host.read(ctx)
	if err != nil {
		return 0, err
	}
	k.sayAside(ctx, f.aside)
	o, now := f.observed(), k.now()
	d := decide(o, k.options, now)
	k.observe(o, now)
	if d.stuck {
		return 0, errors.New(d.reason)
	}
	if d.action == nothing {
		klog.FromContext(ctx).V(4).Info("Nothing to do for certificates", "reason", d.reason, "after", d.after)
		return d.after, nil
	}
	k.writes.Allow()
	c, err := carryOut(d, o, k.options, now)
	if err != nil {
		return 0, fmt.Errorf("carrying out %s: %w", d.action, err)
	}
	if err := k.host.write(ctx, f, c); err != nil {
		return 0, fmt.Errorf("carrying out %s: %w", d.action, err)
	}
	k.say(ctx, f, d)
	return 0, nil
}

func (k *Keeper) observe(o observed, now time.Time) {
	if s := read(o, now); s.signer != nil {
		k.metrics.expires(authorityName, s.signer.cert.NotAfter)
	}
}

// notes are what is said of steps on the Secrets, where they are something to
// know.
var notes = map[action]string{
	createAuthority:   "Made an authority",
	announceAuthority: "Made the next authority, which is trusted from now on and signs later",
	publishBundle:     "Told the host cluster which authorities to trust",
	promoteAuthority:  "The next authority signs from now on",
	issueCertificate:  "Signed a serving certificate",
	dropAuthority:     "The previous authority is no longer trusted",
}

func (k *Keeper) say(ctx context.Context, f *found, d decision) {
	about := f.authority
	if d.action == issueCertificate {
		about = f.serving
	}
	klog.FromContext(ctx).Info("Certificates changed", "step", d.action, "reason", d.reason, "secret", klog.KObj(about))
	if note, ok := notes[d.action]; ok {
		k.events.Eventf(about, nil, corev1.EventTypeNormal, string(d.action), "RotateCertificates", "%s: %s", note, d.reason)
	}
}

// sayAside says when the APIService is left alone, each reason once.
func (k *Keeper) sayAside(ctx context.Context, aside string) {
	if aside != "" && aside != k.said {
		klog.FromContext(ctx).Info("The bundle of the APIService is left alone", "apiService", APIServiceName, "reason", aside)
	}
	k.said = aside
}
