// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// relayState is what a Relay does with what comes in.
type relayState int

const (
	passing relayState = iota
	frozen
	refusing
)

// Relay is the network between a client and an API server, and can be taken
// away from the client alone, while everybody else goes on using the server. It
// moves bytes and does not look at them: TLS goes through it from end to end.
// Its methods may be called from several goroutines.
type Relay struct {
	// Server is the URL at which the relay stands for the API server.
	Server string

	cluster  *Cluster
	address  string
	upstream string
	wait     sync.WaitGroup

	mu       sync.Mutex
	state    relayState
	closed   bool
	listener net.Listener
	// open is closed while bytes may move.
	open  chan struct{}
	links map[*link]struct{}
}

// NewRelay starts a relay to the cluster's API server that passes everything.
// It lasts until Close, or until the bed is closed.
func (c *Cluster) NewRelay() (*Relay, error) {
	return c.newRelay(loopback)
}

// NewRelay is Cluster.NewRelay for pods of the node, which reach nothing on the
// loopback address of the machine.
func (n *Node) NewRelay(c *Cluster) (*Relay, error) { return c.newRelay(n.Gateway) }

func (c *Cluster) newRelay(host string) (*Relay, error) {
	address, err := c.bed.listenAddress()
	if err != nil {
		return nil, err
	}
	address.host = host
	r, err := startRelay(address.String(), strings.TrimPrefix(c.Server, "https://"))
	if err != nil {
		return nil, err
	}
	r.cluster = c
	c.bed.mu.Lock()
	defer c.bed.mu.Unlock()
	c.bed.relays = append(c.bed.relays, r)
	return r, nil
}

func startRelay(address, upstream string) (*Relay, error) {
	open := make(chan struct{})
	close(open)
	r := &Relay{Server: "https://" + address, address: address, upstream: upstream, open: open, links: map[*link]struct{}{}}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r, r.listen()
}

// UserKubeconfig is Cluster.UserKubeconfig by way of the relay.
func (r *Relay) UserKubeconfig(user string, groups ...string) ([]byte, error) {
	pair, err := r.cluster.clientCA.Client(user, groups...)
	if err != nil {
		return nil, err
	}
	return r.cluster.kubeconfigAt(r.Server, user, &clientcmdapi.AuthInfo{ClientCertificateData: pair.Cert, ClientKeyData: pair.Key})
}

// Pass lets everything through, also what waited while the relay was frozen.
func (r *Relay) Pass() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return net.ErrClosed
	}
	if r.state == frozen {
		close(r.open)
	}
	r.state = passing
	return r.listen()
}

// Freeze moves no byte any more, as an address does behind which nobody answers:
// connections stay, new ones are made, and nothing ever comes of them.
func (r *Relay) Freeze() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return net.ErrClosed
	}
	if r.state != frozen {
		r.open = make(chan struct{})
	}
	r.state = frozen
	return r.listen()
}

// Refuse breaks all connections and refuses new ones, as a machine does on which
// nobody listens.
func (r *Relay) Refuse() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return net.ErrClosed
	}
	if r.state == frozen {
		close(r.open)
	}
	r.state = refusing
	r.cut()
	if r.listener == nil {
		return nil
	}
	err := r.listener.Close()
	r.listener = nil
	return err
}

// Cut breaks all connections. New ones fare as before.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut()
}

// Close ends the relay. When it returns nothing of it is left.
func (r *Relay) Close() error {
	r.mu.Lock()
	var err error
	if !r.closed {
		r.closed = true
		if r.state == frozen {
			close(r.open)
		}
		r.cut()
		if r.listener != nil {
			err = r.listener.Close()
		}
	}
	r.mu.Unlock()
	r.wait.Wait()
	return err
}

func (r *Relay) cut() {
	for l := range r.links {
		l.end()
	}
}

// listen starts to accept, unless the relay does already.
func (r *Relay) listen() error {
	if r.listener != nil {
		return nil
	}
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		return fmt.Errorf("listening for a relay to %s: %w", r.upstream, err)
	}
	r.listener = listener
	r.wait.Go(func() { r.accept(listener) })
	return nil
}

func (r *Relay) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // Out of file descriptors, most likely.
			continue
		}
		r.take(conn)
	}
}

func (r *Relay) take(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.state == refusing {
		_ = conn.Close()
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &link{relay: r, ctx: ctx, cancel: cancel, conns: []net.Conn{conn}}
	r.links[l] = struct{}{}
	r.wait.Go(l.serve)
}

// gate returns what is closed while bytes may move.
func (r *Relay) gate() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

func (r *Relay) drop(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.end()
	delete(r.links, l)
}
