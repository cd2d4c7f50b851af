// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// following is a command that runs until it is stopped, or by itself.
type following struct {
	mu   sync.Mutex
	text bytes.Buffer

	cancel context.CancelFunc
	done   chan int
}

func (c *client) follow(args ...string) *following {
	c.t.Helper()
	f := &following{done: make(chan int, 1)}
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	f.cancel = cancel
	c.t.Cleanup(cancel)
	all := c.args(args)
	go func() { f.done <- c.session(f, f).run(ctx, all) }()
	return f
}

func (f *following) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.Write(p)
}

func (f *following) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.String()
}

// until waits for words in the output.
func (f *following) until(t *testing.T, words string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if strings.Contains(f.String(), words) {
			return
		}
	}
	t.Fatalf("%q was not said:\n%s", words, f.String())
}

// stop interrupts the command and expects an exit code.
func (f *following) stop(t *testing.T, code int) {
	t.Helper()
	f.cancel()
	f.ends(t, code)
}

// ends waits until the command ends, and expects an exit code.
func (f *following) ends(t *testing.T, code int) {
	t.Helper()
	select {
	case got := <-f.done:
		if got != code {
			t.Errorf("exit code %d, want %d:\n%s", got, code, f.String())
		}
	case <-time.After(patience):
		t.Fatalf("the command does not end:\n%s", f.String())
	}
}
