// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/klog/v2"
)

const (
	watchBackoffMin = time.Second
	watchBackoffMax = time.Minute
	// refusedBackoff is for credentials that may not watch: what may change
	// that is somebody's doing, and not soon.
	refusedBackoff = 5 * time.Minute
	// watchLifetime is how long a watch is asked to last at least.
	watchLifetime = 5 * time.Minute
)

// workloads watches the Deployments, StatefulSets and DaemonSets of a target
// while anybody wants to know of them. It asks for metadata only, which changes
// its resource version with every change of status, and keeps none of it: what
// it costs does not grow with the target.
type workloads struct {
	name     types.NamespacedName
	metadata metadata.Interface

	mu          sync.Mutex
	closed      bool
	last        int
	subscribers map[int]func(object.ObjMetadata)
	stop        context.CancelFunc
}

func newWorkloads(name types.NamespacedName, client metadata.Interface) *workloads {
	return &workloads{name: name, metadata: client, subscribers: map[int]func(object.ObjMetadata){}}
}

// OnWorkloadChange has call called when a Deployment, StatefulSet or DaemonSet
// anywhere on the target was made, changed (its status included) or deleted,
// until remove is called or the connection is closed. Changes come in bursts
// and call must not block. Some may be missed while the watch is interrupted,
// and all are where the credentials may not watch: this makes probes timely,
// and does not replace them.
func (c *Connection) OnWorkloadChange(call func(object.ObjMetadata)) (remove func()) {
	return c.workloads.subscribe(call)
}

func (w *workloads) subscribe(call func(object.ObjMetadata)) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return func() {}
	}
	w.last++
	id := w.last
	w.subscribers[id] = call
	if w.stop == nil {
		w.start()
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.subscribers, id)
		if len(w.subscribers) == 0 && w.stop != nil {
			w.stop()
			w.stop = nil
		}
	}
}

func (w *workloads) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	clear(w.subscribers)
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

func (w *workloads) notify(id object.ObjMetadata) {
	w.mu.Lock()
	calls := make([]func(object.ObjMetadata), 0, len(w.subscribers))
	for _, call := range w.subscribers {
		calls = append(calls, call)
	}
	w.mu.Unlock()
	for _, call := range calls {
		call(id)
	}
}

// start is called with mu held.
func (w *workloads) start() {
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	for resource, kind := range map[string]string{
		"deployments":  "Deployment",
		"statefulsets": "StatefulSet",
		"daemonsets":   "DaemonSet",
	} {
		go w.run(ctx, schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: resource}, kind)
	}
}

// run follows one kind until ctx ends.
func (w *workloads) run(ctx context.Context, resource schema.GroupVersionResource, kind string) {
	logger := klog.Background().WithValues("target", w.name, "resource", resource.Resource)
	f := follower{
		client: w.metadata.Resource(resource),
		notify: func(o metav1.Object) {
			w.notify(object.ObjMetadata{
				GroupKind: schema.GroupKind{Group: resource.Group, Kind: kind},
				Namespace: o.GetNamespace(),
				Name:      o.GetName(),
			})
		},
	}
	backoff := wait.Backoff{Duration: watchBackoffMin, Factor: 2, Jitter: 0.5, Steps: 1 << 20, Cap: watchBackoffMax}
	delay := backoff
	for ctx.Err() == nil {
		began := time.Now()
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > watchBackoffMax {
			delay = backoff
		}
		pause := min(delay.Step(), watchBackoffMax*3/2)
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			pause = wait.Jitter(refusedBackoff, 0.2)
		}
		logger.V(4).Info("Watch of workloads ended", "again", pause, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// follower keeps one place in the stream of changes of one kind.
type follower struct {
	client metadata.Getter
	notify func(metav1.Object)
	// version is how far it got; empty: begin with now.
	version string
}

// follow watches until the watch ends. A nil error is a watch that ended in its
// course.
func (f *follower) follow(ctx context.Context) error {
	if f.version == "" {
		// What counts is the version of the list, not its items.
		list, err := f.client.List(ctx, metav1.ListOptions{Limit: 1})
		if err != nil {
			return err
		}
		f.version = list.GetResourceVersion()
	}
	lifetime := int64((watchLifetime + rand.N(watchLifetime)).Seconds())
	w, err := f.client.Watch(ctx, metav1.ListOptions{
		ResourceVersion:     f.version,
		AllowWatchBookmarks: true,
		TimeoutSeconds:      &lifetime,
	})
	if err != nil {
		f.forget(err)
		return err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		if event.Type == watch.Error {
			err := apierrors.FromObject(event.Object)
			f.forget(err)
			return err
		}
		o, ok := event.Object.(metav1.Object)
		if !ok {
			continue
		}
		f.version = o.GetResourceVersion()
		if event.Type != watch.Bookmark {
			f.notify(o)
		}
	}
	return nil
}

// forget gives up the place when the server no longer has it.
func (f *follower) forget(err error) {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) {
		f.version = ""
	}
}
