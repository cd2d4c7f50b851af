// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"ksit.io/ksit/pkg/etcd/endpoint"
	"ksit.io/ksit/test/env"
)

// patience bounds what must happen soon: far less than a client of its own takes.
const patience = 60 * time.Second

// process is an etcd of one member.
type process struct {
	t    *testing.T
	args []string
	url  string
	cmd  *exec.Cmd
}

func startEtcd(t *testing.T) *process {
	t.Helper()
	p := &process{t: t, url: "http://" + env.FreeAddress(t)}
	peer := "http://" + env.FreeAddress(t)
	p.args = []string{
		"--data-dir=" + t.TempDir(), "--unsafe-no-fsync", "--log-level=error",
		"--listen-client-urls=" + p.url, "--advertise-client-urls=" + p.url,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
	}
	p.start()
	t.Cleanup(p.kill)
	return p
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.CommandContext(p.t.Context(), env.Bin(p.t, "etcd"), p.args...)
	p.cmd.Stderr = os.Stderr
	must(p.t, p.cmd.Start())
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it was killed
}

func (p *process) signal(signal os.Signal) {
	p.t.Helper()
	must(p.t, p.cmd.Process.Signal(signal))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// connect returns a client as an API server has one, through a relay.
func connect(t *testing.T, servers ...string) *clientv3.Client {
	t.Helper()
	relay, err := Start(t.Context(), endpoint.Options{Servers: servers})
	must(t, err)
	t.Cleanup(func() { must(t, relay.Close()) })
	return clientOf(t, relay)
}

func clientOf(t *testing.T, relay *Relay) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{Endpoint},
		Logger:    zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return relay.Dial(ctx, "tcp", address)
		})},
	})
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func put(t *testing.T, client *clientv3.Client) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := client.Put(ctx, "key", "value")
	if ctx.Err() != nil {
		t.Fatalf("a write was not answered: %v", err)
	}
	return err
}

func soon(t *testing.T, what string, check func() error) {
	t.Helper()
	start := time.Now()
	for {
		err := check()
		if err == nil {
			t.Logf("%s after %s", what, time.Since(start).Round(10*time.Millisecond))
			return
		}
		if time.Since(start) > patience {
			t.Fatalf("%s did not happen: %v", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestRequestsPass(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("", func(t *testing.T) {
		client := connect(t, startEtcd(t).url)
		watch := client.Watch(t.Context(), "key", clientv3.WithPrefix())
		big := strings.Repeat("x", 1<<20)
		for n := range 8 { // more than a message of gRPC may have by default
			_, err := client.Put(t.Context(), fmt.Sprintf("key-%d", n), big)
			must(t, err)
		}
		got, err := client.Get(t.Context(), "key", clientv3.WithPrefix())
		must(t, err)
		if len(got.Kvs) != 8 || string(got.Kvs[7].Value) != big {
			t.Errorf("%d keys came back", len(got.Kvs))
		}
		for seen := 0; seen < 8; {
			response, ok := <-watch
			if !ok || response.Err() != nil {
				t.Fatalf("the watch ended: %v", response.Err())
			}
			seen += len(response.Events)
		}
		// Errors are etcd's own.
		if _, err := client.Get(t.Context(), "key", clientv3.WithRev(1<<40)); !errors.Is(err, rpctypes.ErrFutureRev) {
			t.Errorf("a revision to come gave %v, want %v", err, rpctypes.ErrFutureRev)
		}
	})
}

func TestMemberGoneAndBack(t *testing.T) {
	etcd := startEtcd(t)
	client := connect(t, etcd.url)
	must(t, put(t, client))
	etcd.kill()
	if err := put(t, client); status.Code(err) != codes.Unavailable && !strings.Contains(fmt.Sprint(err), "Unavailable") {
		t.Errorf("a write without etcd gave %v", err)
	}
	soon(t, "a plain reason", func() error {
		if err := put(t, client); err == nil || !strings.Contains(err.Error(), "no member of etcd answers") {
			return fmt.Errorf("the reason is %w", err)
		}
		return nil
	})
	etcd.start()
	soon(t, "recovery", func() error { return put(t, client) })
}

func TestMemberHangs(t *testing.T) {
	etcd := startEtcd(t)
	client := connect(t, etcd.url)
	must(t, put(t, client))
	watch := client.Watch(t.Context(), "key")
	etcd.signal(syscall.SIGSTOP)
	t.Cleanup(func() { _ = etcd.cmd.Process.Signal(syscall.SIGCONT) })
	// A process is not stopped as soon as it is told to.
	soon(t, "a write that waits is given up", func() error {
		if err := put(t, client); err == nil || !strings.Contains(err.Error(), "does not answer") {
			return fmt.Errorf("a write to an etcd that hangs gave %v", err)
		}
		return nil
	})
	etcd.signal(syscall.SIGCONT)
	soon(t, "recovery", func() error { return put(t, client) })
	select {
	case response := <-watch:
		if response.Err() != nil || len(response.Events) == 0 {
			t.Errorf("the watch saw %v, %v", response.Events, response.Err())
		}
	case <-time.After(patience):
		t.Error("the watch does not go on")
	}
}

// TestOneOfTwoGone has requests go to the member that is there.
func TestOneOfTwoGone(t *testing.T) {
	client := connect(t, startEtcd(t).url, "http://"+env.FreeAddress(t))
	for range 20 {
		must(t, put(t, client))
	}
}

// TestMemberJustGone has requests that find a member gone, before it is known to be,
// go to the other one.
func TestMemberJustGone(t *testing.T) {
	stays, goes := startEtcd(t), startEtcd(t)
	relay, err := Start(t.Context(), endpoint.Options{Servers: []string{stays.url, goes.url}})
	must(t, err)
	t.Cleanup(func() { must(t, relay.Close()) })
	gone := relay.members[1]
	soon(t, "both answer", func() error {
		if relay.members[0].health() != good || gone.health() != good {
			return errors.New(relay.complaints())
		}
		return nil
	})
	relay.stop() // nobody asks them any more
	goes.kill()
	soon(t, "the connection is lost", func() error {
		if state := gone.conn.GetState(); state != connectivity.TransientFailure {
			gone.conn.Connect()
			return fmt.Errorf("it is %s", state)
		}
		return nil
	})
	if gone.health() != good {
		t.Fatal("the member is known to be gone already")
	}
	client := clientOf(t, relay)
	for range 20 {
		must(t, put(t, client))
	}
	stays.kill()
	soon(t, "a plain reason", func() error {
		if err := put(t, client); err == nil || !strings.Contains(err.Error(), "no member of etcd answers") {
			return fmt.Errorf("the reason is %w", err)
		}
		return nil
	})
}

func TestNobodyThere(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	url := "http://" + env.FreeAddress(t)
	if _, err := Start(ctx, endpoint.Options{Servers: []string{url}}); err == nil || !strings.Contains(err.Error(), url) {
		t.Errorf("Start() = %v, want an error that names %s", err, url)
	}
}
