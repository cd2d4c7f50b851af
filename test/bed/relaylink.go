// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"net"
	"sync"
)

// link is one connection through a Relay.
type link struct {
	relay  *Relay
	ctx    context.Context
	cancel context.CancelFunc

	mu    sync.Mutex
	conns []net.Conn
	ended bool
}

// serve connects to the API server and moves bytes until either side ends.
func (l *link) serve() {
	defer l.relay.drop(l)
	if !l.pass() {
		return
	}
	upstream, err := (&net.Dialer{}).DialContext(l.ctx, "tcp", l.relay.upstream)
	if err != nil || !l.add(upstream) {
		return
	}
	client := l.conns[0]
	var wait sync.WaitGroup
	wait.Go(func() { l.move(upstream, client) })
	wait.Go(func() { l.move(client, upstream) })
	wait.Wait()
}

// pass waits while the relay is frozen, and tells whether the link still lives.
func (l *link) pass() bool {
	select {
	case <-l.relay.gate():
		return l.ctx.Err() == nil
	case <-l.ctx.Done():
		return false
	}
}

// move copies one direction. What was read just before a freeze waits here; the
// rest waits in the buffers of the sender, as on a real network.
func (l *link) move(to, from net.Conn) {
	defer l.end()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !l.pass() {
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// add makes a connection part of the link, unless that has ended meanwhile.
func (l *link) add(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		_ = conn.Close()
		return false
	}
	l.conns = append(l.conns, conn)
	return true
}

// end closes both sides at once, without waiting for what was not sent yet.
func (l *link) end() {
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	for _, conn := range l.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}
