// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/test/bed"
)

// answerBound is how long a client waits for a server's answer at most, whatever
// etcd does: a write is given up by the server after 34 s, everything after 60 s.
const answerBound = 75 * time.Second

// faults is what the tests of faults share.
type faults struct {
	*world
	servers []*server
	writers []*writer
}

// TestFaults has members of etcd lost, frozen and replaced as leaders under two
// API servers while objects are made by both of them. What was acknowledged is
// there at the end, and every watch has seen it.
func TestFaults(t *testing.T) {
	f := &faults{world: newWorld(t, 0)}
	f.servers = f.startServers(t)
	var watchers []*watcher
	writing, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	t.Cleanup(func() { stop(); done.Wait() })
	for _, server := range f.servers {
		watchers = append(watchers, watch(t, server))
		w := newWriter(server)
		f.writers = append(f.writers, w)
		done.Go(func() { w.run(writing) })
	}

	t.Run("follower lost", func(t *testing.T) { f.lose(t, f.follower(t)) })
	t.Run("leader lost", func(t *testing.T) { f.lose(t, f.leader(t)) })
	t.Run("leader moved", f.moved)
	t.Run("follower frozen", func(t *testing.T) { f.freeze(t, f.follower(t)) })
	t.Run("leader frozen", func(t *testing.T) { f.freeze(t, f.leader(t)) })
	t.Run("etcd down", f.down)
	t.Run("etcd frozen", f.frozen)

	stop()
	done.Wait()
	for _, w := range f.writers {
		names := w.names()
		t.Logf("%s acknowledged %d writes", w.server.name, len(names))
		f.present(t, names)
		for _, watcher := range watchers {
			wait(t, "a watch sees all", func(context.Context) error { return watcher.lacks(names) })
		}
	}
}

func (f *faults) follower(t *testing.T) *bed.EtcdMember {
	t.Helper()
	member, err := f.etcd.Follower(t.Context())
	must(t, err)
	return member
}

func (f *faults) leader(t *testing.T) *bed.EtcdMember {
	t.Helper()
	member, err := f.etcd.Leader(t.Context())
	must(t, err)
	return member
}

// lose kills a member, and starts it again when writes go on without it.
func (f *faults) lose(t *testing.T, member *bed.EtcdMember) {
	f.during(t, func() {
		member.Kill()
		f.recovered(t, "without the member")
	})
	f.during(t, func() {
		must(t, member.Start(t.Context()))
		f.recovered(t, "with the member back")
	})
}

func (f *faults) moved(t *testing.T) {
	f.during(t, func() {
		must(t, f.etcd.MoveLeader(t.Context(), f.follower(t)))
		f.recovered(t, "with another leader")
	})
}

// freeze stops a member without ending its connections, for longer than it takes
// clients to find out.
func (f *faults) freeze(t *testing.T, member *bed.EtcdMember) {
	f.during(t, func() {
		must(t, member.Freeze())
		thawed := false
		t.Cleanup(func() {
			if !thawed {
				_ = member.Thaw()
			}
		})
		f.recovered(t, "with the member frozen")
		red := f.probe(t, 20*time.Second)
		for n, server := range f.servers {
			t.Logf("%s: /readyz was red in %d of %d looks in 20 s, at most %d in a row", server.name, red[n].failed, red[n].looks, red[n].row)
		}
		f.recovered(t, "after a while of that")
		must(t, member.Thaw())
		thawed = true
	})
	f.during(t, func() { f.recovered(t, "with the member back") })
}

// looks counts what a probe saw.
type looks struct{ looks, failed, row, inRow int }

// probe asks both servers for /readyz once a second, as a kubelet does.
func (f *faults) probe(t *testing.T, long time.Duration) []looks {
	t.Helper()
	seen := make([]looks, len(f.servers))
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(time.Second) {
		for n, server := range f.servers {
			l := &seen[n]
			l.looks++
			if server.health(t.Context(), "/readyz") == nil {
				l.inRow = 0
				continue
			}
			l.failed++
			l.inRow++
			l.row = max(l.row, l.inRow)
		}
	}
	return seen
}

// down takes all members away at once.
func (f *faults) down(t *testing.T) {
	f.during(t, func() {
		f.etcd.Kill()
		f.red(t)
		f.answers(t)
		must(t, f.etcd.Start(t.Context()))
		back := time.Now()
		f.green(t, back)
		f.recovered(t, "after etcd was back")
	})
}

// frozen stops all members at once.
func (f *faults) frozen(t *testing.T) {
	thaw := func() {
		for _, member := range f.etcd.Members {
			_ = member.Thaw() // one that was thawed is none the worse
		}
	}
	t.Cleanup(thaw)
	f.during(t, func() {
		for _, member := range f.etcd.Members {
			must(t, member.Freeze())
		}
		f.red(t)
		f.answers(t)
		thaw()
		back := time.Now()
		f.green(t, back)
		f.recovered(t, "after etcd went on")
	})
}

// during reports what the writers went through while something was done.
func (f *faults) during(t *testing.T, what func()) {
	t.Helper()
	for _, w := range f.writers {
		w.reset()
	}
	what()
	for _, w := range f.writers {
		t.Log(w.report())
	}
}

// recovered waits until each server has acknowledged a write that was begun after
// now.
func (f *faults) recovered(t *testing.T, when string) {
	t.Helper()
	start := time.Now()
	for _, w := range f.writers {
		wait(t, w.server.name+" takes writes "+when, func(context.Context) error {
			if !w.since(start) {
				return errors.New("nothing was acknowledged: " + w.report())
			}
			return nil
		})
	}
	t.Logf("both servers took writes %s after %s", when, round(time.Since(start)))
}

// red waits until the servers say that they are not ready, and yet alive.
func (f *faults) red(t *testing.T) {
	t.Helper()
	for _, server := range f.servers {
		took := wait(t, server.name+" is not ready", func(ctx context.Context) error {
			if server.health(ctx, "/readyz") == nil {
				return errors.New("/readyz is green")
			}
			return nil
		})
		t.Logf("%s: /readyz was red after %s", server.name, round(took))
		wait(t, server.name+" says that it does not live", func(ctx context.Context) error {
			if server.health(ctx, "/livez") == nil {
				return errors.New("/livez is green")
			}
			return nil
		})
		must(t, server.health(t.Context(), "/livez?exclude=etcd"))
	}
}

func (f *faults) green(t *testing.T, since time.Time) {
	t.Helper()
	for _, server := range f.servers {
		wait(t, server.name+" is ready again", func(ctx context.Context) error { return server.health(ctx, "/readyz") })
		t.Logf("%s: /readyz was green %s after etcd was back", server.name, round(time.Since(since)))
	}
}

// answers has what needs etcd fail within bounds, and clearly.
func (f *faults) answers(t *testing.T) {
	t.Helper()
	api := f.servers[0].ksit.KsitV1alpha1().IntegrationTargets(namespace)
	requests := map[string]func(context.Context) error{
		"create": func(ctx context.Context) error {
			_, err := api.Create(ctx, target("never"), metav1.CreateOptions{})
			return err
		},
		"get": func(ctx context.Context) error {
			_, err := api.Get(ctx, "nobody", metav1.GetOptions{})
			return err
		},
		"list": func(ctx context.Context) error {
			_, err := api.List(ctx, metav1.ListOptions{})
			return err
		},
		"list from the cache": func(ctx context.Context) error {
			_, err := api.List(ctx, metav1.ListOptions{ResourceVersion: "0"})
			return err
		},
	}
	var wait sync.WaitGroup
	for name, request := range requests {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), answerBound)
			defer cancel()
			start := time.Now()
			err := request(ctx)
			t.Logf("%s: after %s: %v", name, round(time.Since(start)), err)
			switch {
			case ctx.Err() != nil:
				t.Errorf("%s is not answered within %s", name, answerBound)
			case err == nil && name != "list from the cache":
				t.Errorf("%s succeeds without etcd", name)
			}
		})
	}
	wait.Wait()
}

// present looks for all names on both servers.
func (f *faults) present(t *testing.T, names map[string]bool) {
	t.Helper()
	for _, server := range f.servers {
		list, err := server.ksit.KsitV1alpha1().IntegrationTargets(namespace).List(t.Context(), metav1.ListOptions{})
		must(t, err)
		found := map[string]bool{}
		for _, item := range list.Items {
			found[item.Name] = true
		}
		for name := range names {
			if !found[name] {
				t.Errorf("%s was acknowledged, and is lost by %s", name, server.name)
			}
		}
	}
}
