// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"bufio"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// silence is for how long nothing must come for it to count as frozen. It can
// only be too short to see a defect, never too short for a relay that works.
const silence = 200 * time.Millisecond

// patience bounds what hangs.
const patience = 10 * time.Second

func TestRelay(t *testing.T) {
	t.Run("passes bytes both ways", func(t *testing.T) {
		r := relayToEcho(t)
		say(t, dial(t, r), "hello")
	})
	t.Run("freezes connections, and what waited arrives when it passes again", func(t *testing.T) {
		r := relayToEcho(t)
		old := dial(t, r)
		say(t, old, "before")
		check(t, r.Freeze())
		write(t, old, "during")
		silent(t, old)
		fresh := dial(t, r)
		write(t, fresh, "fresh")
		silent(t, fresh)
		check(t, r.Pass())
		expect(t, old, "during")
		expect(t, fresh, "fresh")
	})
	t.Run("cuts connections, frozen ones too, and takes new ones", func(t *testing.T) {
		r := relayToEcho(t)
		conn := dial(t, r)
		say(t, conn, "before")
		check(t, r.Freeze())
		r.Cut()
		broken(t, conn)
		check(t, r.Pass())
		say(t, dial(t, r), "after")
	})
	t.Run("refuses connections at the same address until it passes again", func(t *testing.T) {
		r := relayToEcho(t)
		conn := dial(t, r)
		say(t, conn, "before")
		check(t, r.Refuse())
		check(t, r.Refuse())
		broken(t, conn)
		if _, err := net.Dial("tcp", r.address); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dialling gives %v, want that it is refused", err)
		}
		check(t, r.Freeze())
		fresh := dial(t, r)
		write(t, fresh, "fresh")
		silent(t, fresh)
		check(t, r.Pass())
		expect(t, fresh, "fresh")
	})
	t.Run("ends a connection whose server is gone", func(t *testing.T) {
		r, err := startRelay("127.0.0.1:0", "127.0.0.1:1")
		check(t, err)
		r.address = r.listener.Addr().String()
		t.Cleanup(func() { check(t, r.Close()) })
		// It may end before the dialler has heard that it was made.
		if conn, err := net.Dial("tcp", r.address); err == nil {
			broken(t, conn)
			check(t, conn.Close())
		}
	})
}

// TestRelayLeavesNothing closes a relay in each of its states: Close returns
// only when all of its goroutines have ended.
func TestRelayLeavesNothing(t *testing.T) {
	for name, enter := range map[string]func(*Relay) error{
		"passing":  func(*Relay) error { return nil },
		"frozen":   (*Relay).Freeze,
		"refusing": (*Relay).Refuse,
	} {
		t.Run(name, func(t *testing.T) {
			r := relayToEcho(t)
			conn := dial(t, r)
			say(t, conn, "hello")
			check(t, enter(r))
			done := make(chan error, 1)
			go func() { done <- r.Close() }()
			select {
			case err := <-done:
				check(t, err)
			case <-time.After(patience):
				t.Fatal("Close does not return")
			}
			broken(t, conn)
			if len(r.links) != 0 {
				t.Errorf("%d connections are left", len(r.links))
			}
			if err := r.Pass(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("a closed relay passes: %v", err)
			}
			listener, err := net.Listen("tcp", r.address)
			if err != nil {
				t.Fatalf("the port was not given back: %v", err)
			}
			check(t, listener.Close())
		})
	}
}

// relayToEcho is a relay to a server that sends back every line.
func relayToEcho(t *testing.T) *Relay {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					if _, err := conn.Write(append(lines.Bytes(), '\n')); err != nil {
						return
					}
				}
			})
		}
	})
	r, err := startRelay("127.0.0.1:0", server.Addr().String())
	check(t, err)
	// The address that it got, for when it listens again.
	r.address = r.listener.Addr().String()
	t.Cleanup(func() {
		check(t, r.Close())
		check(t, server.Close())
		wait.Wait()
	})
	return r
}

func dial(t *testing.T, r *Relay) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", r.address)
	check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	write(t, conn, text)
	expect(t, conn, text)
}

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	_, err := conn.Write([]byte(text + "\n"))
	check(t, err)
}

func expect(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	check(t, conn.SetReadDeadline(time.Now().Add(patience)))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || line != text+"\n" {
		t.Fatalf("read %q (%v), want %q", line, err, text)
	}
}

func silent(t *testing.T, conn net.Conn) {
	t.Helper()
	check(t, conn.SetReadDeadline(time.Now().Add(silence)))
	n, err := conn.Read(make([]byte, 1))
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes (%v), want silence", n, err)
	}
}

func broken(t *testing.T, conn net.Conn) {
	t.Helper()
	check(t, conn.SetReadDeadline(time.Now().Add(patience)))
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection still stands (%v)", err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
