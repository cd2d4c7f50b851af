// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/informers/externalversions"
)

// writePause keeps the writers from being the load.
const writePause = 250 * time.Millisecond

// writer makes objects by one server, one after the other, and notes those that
// were acknowledged.
type writer struct {
	server *server

	mu           sync.Mutex
	acknowledged map[string]bool
	last         time.Time
	// gap is the longest time without an acknowledged write, failed the longest that
	// one took to fail, and errors what was said, since reset.
	gap, failed time.Duration
	errors      map[string]int
}

func newWriter(server *server) *writer {
	w := &writer{server: server, acknowledged: map[string]bool{}}
	w.reset()
	return w
}

func (w *writer) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.gap, w.failed, w.errors = time.Now(), 0, 0, map[string]int{}
}

// run writes until ctx ends.
func (w *writer) run(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		w.write(ctx, fmt.Sprintf("%s-%d", w.server.name, n))
		select {
		case <-ctx.Done():
		case <-time.After(writePause):
		}
	}
}

// write makes one object, however often it must try. One that exists was made by
// an attempt that nobody answered.
func (w *writer) write(ctx context.Context, name string) {
	for ctx.Err() == nil {
		start := time.Now()
		_, err := w.server.ksit.KsitV1alpha1().IntegrationTargets(namespace).Create(ctx, target(name), metav1.CreateOptions{})
		if err == nil || apierrors.IsAlreadyExists(err) {
			w.acknowledge(name)
			return
		}
		if ctx.Err() == nil {
			w.fail(err, time.Since(start))
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func target(name string) *v1alpha1.IntegrationTarget {
	return &v1alpha1.IntegrationTarget{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       v1alpha1.IntegrationTargetSpec{ClusterName: name, KubeconfigSecret: "none"},
	}
}

func (w *writer) acknowledge(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.gap = max(w.gap, now.Sub(w.last))
	w.last = now
	w.acknowledged[name] = true
}

func (w *writer) fail(err error, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = max(w.failed, took)
	w.errors[brief(err)]++
}

// brief is an error without what differs each time.
func brief(err error) string {
	text := err.Error()
	if len(text) > 160 {
		text = text[:160] + "..."
	}
	return strings.ReplaceAll(text, "\n", " ")
}

// since is whether something was acknowledged after a moment.
func (w *writer) since(moment time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last.After(moment)
}

func (w *writer) report() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	gap := max(w.gap, time.Since(w.last))
	return fmt.Sprintf("%s: at most %s between writes, %s until an error, errors %v",
		w.server.name, round(gap), round(w.failed), w.errors)
}

func (w *writer) names() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.acknowledged)
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }

// watcher notes what one watch has seen. It is an informer: one whose watch the
// server ended lists, as clients do.
type watcher struct {
	server *server
	mu     sync.Mutex
	seen   map[string]types.UID
}

func watch(t *testing.T, server *server) *watcher {
	t.Helper()
	w := &watcher{server: server, seen: map[string]types.UID{}}
	factory := externalversions.NewSharedInformerFactoryWithOptions(server.ksit, 0, externalversions.WithNamespace(namespace))
	informer := factory.Ksit().V1alpha1().IntegrationTargets().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(object any) {
		if target, ok := object.(*v1alpha1.IntegrationTarget); ok {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.seen[target.Name] = target.UID
		}
	}})
	must(t, err)
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop); factory.Shutdown() })
	factory.Start(stop)
	return w
}

// lacks returns one of the names that was not seen.
func (w *watcher) lacks(names map[string]bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	missing := 0
	var one string
	for name := range names {
		if _, seen := w.seen[name]; !seen {
			missing, one = missing+1, name
		}
	}
	if missing > 0 {
		return fmt.Errorf("the watch of %s has not seen %d of %d objects, %s among them", w.server.name, missing, len(names), one)
	}
	return nil
}
