// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package targetproxy

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"
)

// stream opens a request that the target answers line by line and does not end.
func (f *fixture) stream(t *testing.T) (lines *bufio.Reader, leave context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.front.URL+"/proxy/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := f.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s", response.Status)
	}
	return bufio.NewReader(response.Body), cancel
}

// watch is a target's handler that says one line and waits.
func watch(open *atomic.Int32) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/watch" {
			return
		}
		open.Add(1)
		defer open.Add(-1)
		_, _ = io.WriteString(w, "ADDED\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

// A line must be there as soon as the target says it, and the target must learn
// at once that the caller has left.
func TestStreamAndCancel(t *testing.T) {
	var open atomic.Int32
	f := start(t, "", Options{}, watch(&open))
	lines, leave := f.stream(t)
	if line, err := lines.ReadString('\n'); err != nil || line != "ADDED\n" {
		t.Fatalf("%q %v", line, err)
	}
	leave()
	eventually(t, "the target's side of the watch ends", func() bool { return open.Load() == 0 })
	eventually(t, "the request is no longer counted", func() bool {
		f.proxy.gate.mu.Lock()
		defer f.proxy.gate.mu.Unlock()
		return len(f.proxy.gate.targets) == 0
	})
}

func TestBounds(t *testing.T) {
	var open atomic.Int32
	f := start(t, "", Options{PerTarget: 3, PerCaller: 2}, watch(&open))
	expect := func(caller string, code int) {
		t.Helper()
		f.caller.Store(&user.DefaultInfo{Name: caller})
		response, body := f.get(t, "/api", nil)
		if response.StatusCode != code || code == http.StatusTooManyRequests && !strings.Contains(body, "team/one") {
			t.Errorf("as %s: %s %s", caller, response.Status, body)
		}
	}
	f.caller.Store(&user.DefaultInfo{Name: "jane"})
	_, first := f.stream(t)
	f.stream(t)
	expect("jane", http.StatusTooManyRequests)
	expect("joe", http.StatusOK)
	f.caller.Store(&user.DefaultInfo{Name: "joe"})
	f.stream(t)
	expect("jack", http.StatusTooManyRequests)
	first()
	eventually(t, "the watch ends", func() bool { return open.Load() == 2 })
	eventually(t, "there is room", func() bool {
		f.caller.Store(&user.DefaultInfo{Name: "jack"})
		response, _ := f.get(t, "/api", nil)
		return response.StatusCode == http.StatusOK
	})
}

func TestGateIsPerTarget(t *testing.T) {
	g := newGate(1, 1)
	one, two := types.NamespacedName{Name: "one"}, types.NamespacedName{Name: "two"}
	leave, ok := g.enter(one, "jane")
	if !ok {
		t.Fatal("the first was not let in")
	}
	if _, ok := g.enter(one, "joe"); ok {
		t.Error("a second was let in")
	}
	other, ok := g.enter(two, "jane")
	if !ok {
		t.Error("one target is full, and so is another")
	}
	leave()
	other()
	if _, ok := g.enter(one, "joe"); !ok {
		t.Error("nobody is let in after all have left")
	}
}

// Watches must not hold up the stop of the server.
func TestStop(t *testing.T) {
	var open atomic.Int32
	f := start(t, "", Options{}, watch(&open))
	lines, _ := f.stream(t)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	f.proxy.Stop()
	if _, err := io.ReadAll(lines); err == nil {
		t.Error("the watch that was cut off looks as if it had ended")
	}
	eventually(t, "the target's side of the watch ends", func() bool { return open.Load() == 0 })
	if response, body := f.get(t, "/api", nil); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s %s", response.Status, body)
	}
	f.proxy.Stop()
}

// Stop does not wait when there is nothing to wait for.
func TestStopWhenIdle(t *testing.T) {
	r := newRunning()
	_, done, ok := r.begin(t.Context())
	if !ok {
		t.Fatal("refused")
	}
	done()
	r.stop()
	select {
	case <-r.idle:
	default:
		t.Error("it waited for its time to pass")
	}
}
