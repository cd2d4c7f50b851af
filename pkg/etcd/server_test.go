// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
)

func open(t *testing.T, opts Options) *Server {
	t.Helper()
	opts.UnsafeNoFsync = true
	server, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return server
}

func connect(t *testing.T, server *Server) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{server.Endpoint()}, DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestDataSurvivesARestart(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := filepath.Join(t.TempDir(), "data")
	for round := range 2 {
		server, err := Open(t.Context(), Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{server.Endpoint()}})
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			if _, err := client.Put(t.Context(), "key", "value"); err != nil {
				t.Fatal(err)
			}
		} else {
			got, err := client.Get(t.Context(), "key")
			if err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "value" {
				t.Fatalf("after the restart the key is %v (error %v)", got, err)
			}
		}
		if err := server.Check(); err != nil {
			t.Errorf("Check() = %v", err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		if err := server.Check(); err == nil {
			t.Error("Check() of a closed server found nothing wrong")
		}
	}
}

func TestDirectoryIsPrivate(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	open(t, Options{Dir: dir})
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("the data directory has mode %o, want 700", got)
	}
}

func TestSecondOwnerIsRefusedAtOnce(t *testing.T) {
	dir := t.TempDir()
	open(t, Options{Dir: dir})
	start := time.Now()
	_, err := Open(t.Context(), Options{Dir: dir})
	if !errors.Is(err, ErrInUse) {
		t.Fatalf("opening the directory a second time gave %v, want %v", err, ErrInUse)
	}
	if want := fmt.Sprintf("process %d", os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Errorf("the error %q does not name the owner, %q", err, want)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("the refusal took %v", took)
	}
}

func TestLongPathGetsAShortSocket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 40))
	// A process that died left its socket behind.
	stale, err := makeSocket(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stale.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	server := open(t, Options{Dir: dir})
	if _, err := connect(t, server).Put(t.Context(), "key", "value"); err != nil {
		t.Fatal(err)
	}
	if len(server.socket.path) > maxSocketPath {
		t.Errorf("the socket %s is too long a path", server.socket.path)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(server.socket.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory of the socket was left behind: %v", err)
	}
}

func TestStartIsBoundedByContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := Open(ctx, Options{Dir: dir}); err == nil {
		t.Skip("etcd was ready before the context was looked at")
	} else if !errors.Is(err, context.Canceled) {
		t.Fatalf("Open() = %v, want %v", err, context.Canceled)
	}
	open(t, Options{Dir: dir}) // nothing of the failed start is in the way
}

const writerDirVariable = "KSIT_TEST_ETCD_WRITER_DIR"

// TestWriterProcess is the process that TestKill kills.
func TestWriterProcess(t *testing.T) {
	dir := os.Getenv(writerDirVariable)
	if dir == "" {
		t.Skip("runs only as a child of TestKill")
	}
	server, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	client := connect(t, server)
	for i := 0; ; i++ {
		if _, err := client.Put(t.Context(), fmt.Sprintf("key-%d", i), "value"); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("acknowledged key-%d\n", i)
	}
}

func TestKill(t *testing.T) {
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriterProcess$", "-test.v")
	child.Env = append(os.Environ(), writerDirVariable+"="+dir)
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		key, ok := strings.CutPrefix(lines.Text(), "acknowledged ")
		if !ok {
			continue
		}
		acknowledged = append(acknowledged, key)
		if len(acknowledged) == 200 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // it was killed
	if len(acknowledged) < 200 {
		t.Fatalf("the writer wrote %d keys only", len(acknowledged))
	}

	server := open(t, Options{Dir: dir})
	client := connect(t, server)
	for _, key := range acknowledged {
		got, err := client.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Kvs) != 1 {
			t.Errorf("%s was acknowledged and is lost", key)
		}
	}
}
