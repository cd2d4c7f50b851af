// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
)

const (
	firstInterval   = 100 * time.Millisecond
	defaultInterval = time.Second
	// settleTime is how long changes of workloads are gathered before they are
	// looked at: they come in threes and fours.
	settleTime = 20 * time.Millisecond
	// explainTime is what is spent on finding out why a wait came to nothing.
	explainTime = 5 * time.Second
	// maxNamed bounds the objects that the error of a wait names.
	maxNamed = 5
)

// WaitOptions say what is waited for.
type WaitOptions struct {
	// Jobs has a Job count as ready when it is complete, and ends the wait when
	// one has failed. Without it Jobs are not waited for, as with Helm.
	Jobs bool
	// Interval is the longest time between two looks at the same object.
	// Default one second. Workloads are looked at as soon as they change.
	Interval time.Duration
	// OnProgress, if set, is called with a line whenever there is news.
	OnProgress func(string)
}

// WaitError is why a wait came to nothing.
type WaitError struct {
	// Pending of Total objects are not ready.
	Pending, Total int
	// Unhealthy names the first of them, and what is wrong with each.
	Unhealthy []v1alpha1.UnhealthyResource
	// Err is the error of the context, or nil when a Job has failed.
	Err error
}

// Error names up to five objects with what is wrong with each.
func (e *WaitError) Error() string {
	var parts []string
	for i, u := range e.Unhealthy {
		if i == maxNamed {
			parts = append(parts, "…")
			break
		}
		name := u.Kind + " " + u.Name
		if u.Namespace != "" {
			name = u.Kind + " " + u.Namespace + "/" + u.Name
		}
		parts = append(parts, fmt.Sprintf("%s: %s", name, u.Message))
	}
	return fmt.Sprintf("%d of %d objects are not ready: %s", e.Pending, e.Total, strings.Join(parts, "; "))
}

// Unwrap returns the error of the context.
func (e *WaitError) Unwrap() error { return e.Err }

// Wait returns nil once every object is ready: by the rules of kstatus, which
// for workloads ask for at least what `helm install --wait` asks for, and a
// CRD is established. Objects of kinds that cannot be anything but ready are
// not looked at. An object that has failed is waited for all the same, because
// most failures pass: an image that appears, a quota that is raised. The error
// is a *WaitError.
func Wait(ctx context.Context, conn *cluster.Connection, objs object.ObjMetadataSet, opts WaitOptions) error {
	w := &waiter{conn: conn, reader: newReader(conn), options: opts, woken: make(chan struct{}, 1), changed: map[object.ObjMetadata]bool{}}
	if w.options.Interval <= 0 {
		w.options.Interval = defaultInterval
	}
	for _, id := range objs.Unique() {
		if !isInert(id.GroupKind) && (id.GroupKind != jobKind || opts.Jobs) {
			w.pending = append(w.pending, id)
		}
	}
	w.total = len(objs)
	slices.SortFunc(w.pending, compareIDs)
	if len(w.pending) == 0 {
		return nil
	}
	if slices.ContainsFunc(w.pending, func(id object.ObjMetadata) bool { return isWorkload(id.GroupKind) }) {
		defer conn.OnWorkloadChange(w.wake)()
	}
	return w.run(ctx)
}

// waiter is one run of Wait.
type waiter struct {
	conn    *cluster.Connection
	reader  *reader
	options WaitOptions
	total   int
	pending []object.ObjMetadata
	said    string

	woken   chan struct{}
	mu      sync.Mutex
	changed map[object.ObjMetadata]bool
}

// wake is called with every workload of the target that changes.
func (w *waiter) wake(id object.ObjMetadata) {
	w.mu.Lock()
	w.changed[id] = true
	w.mu.Unlock()
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// takeChanged returns which of the pending objects changed since the last call.
func (w *waiter) takeChanged() []object.ObjMetadata {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []object.ObjMetadata
	for _, id := range w.pending {
		if w.changed[id] {
			ids = append(ids, id)
		}
	}
	clear(w.changed)
	return ids
}

func (w *waiter) run(ctx context.Context) error {
	interval := firstInterval
	look := w.pending
	for {
		if err := w.look(ctx, look); err != nil {
			return err
		}
		if len(w.pending) == 0 {
			return nil
		}
		if look = w.next(ctx, interval); look == nil {
			return w.giveUp(ctx)
		}
		interval = min(interval*3/2, w.options.Interval)
	}
}

// next waits until there is something to look at again: the workloads that
// changed, or all that is pending when the interval is over. It returns nil when
// the context has ended.
func (w *waiter) next(ctx context.Context, interval time.Duration) []object.ObjMetadata {
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			return w.pending
		case <-w.woken:
			time.Sleep(settleTime)
			if changed := w.takeChanged(); len(changed) > 0 {
				return changed
			}
		}
	}
}

// look reads objects and takes those that are ready off the list.
func (w *waiter) look(ctx context.Context, ids []object.ObjMetadata) error {
	now := time.Now()
	done := map[object.ObjMetadata]bool{}
	var news object.ObjMetadata
	var worst verdict
	for _, o := range w.reader.each(ctx, ids) {
		v := w.judge(o, now)
		switch {
		case v.state == v1alpha1.CheckPassed:
			done[o.id] = true
			continue
		case o.id.GroupKind == jobKind && v.state == v1alpha1.CheckFailed && v.reason != "NotFound":
			return &WaitError{Pending: len(w.pending), Total: w.total,
				Unhealthy: unhealthyList(map[object.ObjMetadata]verdict{o.id: v}, maxUnhealthy)}
		case worst.state == "" || rank(v.state) > rank(worst.state):
			news, worst = o.id, v
		}
	}
	w.pending = slices.DeleteFunc(w.pending, func(id object.ObjMetadata) bool { return done[id] })
	if w.options.OnProgress != nil && worst.state != "" {
		line := fmt.Sprintf("%d of %d objects are not ready yet; %s: %s", len(w.pending), w.total, describe(news), worst.message)
		if line != w.said {
			w.said = line
			w.options.OnProgress(line)
		}
	}
	return nil
}

// judge is stricter than a probe: a Job must be complete.
func (w *waiter) judge(o observation, now time.Time) verdict {
	v := o.judge(w.conn, now)
	if o.id.GroupKind != jobKind {
		return v
	}
	switch {
	case o.err != nil && v.state == v1alpha1.CheckPassed:
		// Removed before it was seen to end: nobody can know how it did.
		return v
	case v.state == v1alpha1.CheckPassed && condition(o.object, "Complete").status != "True":
		return progressing("Running", "is not complete")
	default:
		return v
	}
}

// giveUp makes the error of a wait whose context ended. It looks at what is left
// once more, and at the pods, to say why.
func (w *waiter) giveUp(ctx context.Context) error {
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTime)
	defer cancel()
	now := time.Now()
	ids := w.pending[:min(len(w.pending), maxUnhealthy)]
	seen := w.reader.each(after, ids)
	verdicts := make([]verdict, len(seen))
	for i, o := range seen {
		verdicts[i] = w.judge(o, now)
	}
	w.reader.explain(after, seen, verdicts, now)
	bad := map[object.ObjMetadata]verdict{}
	for i, v := range verdicts {
		if v.state == v1alpha1.CheckPassed {
			v = progressing("JustReady", "became ready as the time ended")
		}
		bad[seen[i].id] = v
	}
	return &WaitError{Pending: len(w.pending), Total: w.total, Unhealthy: unhealthyList(bad, maxUnhealthy), Err: context.Cause(ctx)}
}
