// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package journal sends what the controllers say of Installations to their logs:
// gathered, so that one Installation costs one write a second at most, and none
// when nothing is said.
package journal

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/status"
	client "ksit.io/ksit/pkg/generated/clientset/versioned/typed/ksit/v1alpha1"
)

const (
	// soon is when the first line after a silence is sent, and those that come
	// with it; gather, how long further ones are gathered.
	soon   = 100 * time.Millisecond
	gather = time.Second
	// maxWaiting bounds the lines of one Installation that wait to be sent. What
	// is said after that is counted.
	maxWaiting = 200
	// lastSend bounds the sending of what is left at the end.
	lastSend = 2 * time.Second
)

// Journal gathers lines.
type Journal struct {
	client client.InstallationsGetter
	// schedule has Send called for an Installation after a while.
	schedule func(types.NamespacedName, time.Duration)

	mu    sync.Mutex
	pages map[types.NamespacedName]*page
}

// page is what was said of one Installation and not sent yet. It is there,
// empty, for a while after it was sent.
type page struct {
	lines   []v1alpha1.LogLine
	dropped int
}

// New makes a journal that writes through client. schedule must have Send called
// for an Installation after a while, once for several calls.
func New(client client.InstallationsGetter, schedule func(types.NamespacedName, time.Duration)) *Journal {
	return &Journal{client: client, schedule: schedule, pages: map[types.NamespacedName]*page{}}
}

// Say takes down a line. It does not wait for anything.
func (j *Journal) Say(installation types.NamespacedName, line string) {
	said := v1alpha1.LogLine{Time: metav1.NowMicro(), Message: status.Shorten(line, v1alpha1.MaxLogLine)}
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.pages[installation]
	if p == nil {
		p = &page{}
		j.pages[installation] = p
		j.schedule(installation, soon)
	}
	if len(p.lines) >= maxWaiting {
		p.dropped++
		return
	}
	p.lines = append(p.lines, said)
}

// Send sends what was said of an Installation. It is a workers.Reconcile.
func (j *Journal) Send(ctx context.Context, installation types.NamespacedName) (time.Duration, error) {
	p := j.take(installation)
	if p == nil {
		return 0, nil
	}
	log := &v1alpha1.InstallationLog{Lines: p.lines}
	if p.dropped > 0 {
		log.Lines = append(log.Lines, v1alpha1.LogLine{Time: metav1.NowMicro(), Message: fmt.Sprintf("(%d more lines came at once, and are left out)", p.dropped)})
	}
	_, err := j.client.Installations(installation.Namespace).AppendLog(ctx, installation.Name, log, metav1.CreateOptions{})
	switch {
	case err == nil, apierrors.IsNotFound(err):
		return gather, nil
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		// In a namespace that is being deleted, or for want of the right: it would
		// be the same again.
		klog.FromContext(ctx).V(1).Info("Could not write to the log of an Installation", "installation", installation, "err", err)
		return gather, nil
	default:
		j.giveBack(installation, p)
		return 0, fmt.Errorf("writing to the log of Installation %s: %w", installation, err)
	}
}

// SendAll sends what is left, in the little time that a process has at its end.
func (j *Journal) SendAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastSend)
	defer cancel()
	j.mu.Lock()
	var keys []types.NamespacedName
	for key := range j.pages {
		keys = append(keys, key)
	}
	j.mu.Unlock()
	for _, key := range keys {
		if _, err := j.Send(ctx, key); err != nil {
			klog.FromContext(ctx).V(1).Info("What was said last is lost", "installation", key, "err", err)
		}
	}
}

// take returns the page of an Installation, and leaves an empty one; nil where
// nothing was said since the last.
func (j *Journal) take(installation types.NamespacedName) *page {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.pages[installation]
	if p == nil || len(p.lines) == 0 {
		delete(j.pages, installation)
		return nil
	}
	j.pages[installation] = &page{}
	return p
}

// giveBack puts lines that could not be sent ahead of those said since.
func (j *Journal) giveBack(installation types.NamespacedName, p *page) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if since := j.pages[installation]; since != nil {
		p.lines, p.dropped = append(p.lines, since.lines...), p.dropped+since.dropped
		if over := len(p.lines) - maxWaiting; over > 0 {
			p.lines, p.dropped = p.lines[:maxWaiting], p.dropped+over
		}
	}
	j.pages[installation] = p
}
