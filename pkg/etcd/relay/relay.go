// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package relay passes what an API server asks of etcd on to the members of it
// that answer.
//
// The client of etcd that is built into API servers finds out that a member hangs
// after half a minute, during which a third of all requests wait for it; without
// any member it lets every request wait until that is given up; and it looks for
// members that were away less and less often, up to two minutes apart. None of that
// can be set. Seen through a relay there is one member, that always answers: with
// what etcd says, or with an error at once.
package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/etcd/endpoint"
)

// Endpoint is what a client is told to connect to, by Relay.Dial: a name only.
const Endpoint = "http://etcd-relay"

// startTimeout is how long Start looks for a member that answers.
const startTimeout = 20 * time.Second

// Relay passes requests on. It is made by Start.
type Relay struct {
	members []*member
	next    atomic.Uint64
	server  *grpc.Server
	pipes   *pipes
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// Start connects to the members and returns when one of them answers. When none
// does, what each of them said is the error. The caller closes the relay, after
// everything that dials it.
func Start(ctx context.Context, o endpoint.Options) (*Relay, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	tls, err := o.TLS()
	if err != nil {
		return nil, err
	}
	r := &Relay{pipes: newPipes()}
	var background context.Context
	background, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, server := range o.Servers {
		m, err := newMember(server, tls)
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		r.members = append(r.members, m)
		r.stopped.Go(func() { m.watch(background) })
	}
	if err := r.waitForMember(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.server = grpc.NewServer(
		grpc.ForceServerCodecV2(codec{}),
		grpc.UnknownServiceHandler(r.pass),
		grpc.MaxRecvMsgSize(math.MaxInt32),
		// The clients ask every 30 s whether the other side is alive.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	)
	r.stopped.Go(func() { _ = r.server.Serve(r.pipes) }) // ends with Close
	return r, nil
}

// Dial connects a client. It never leaves the process.
func (r *Relay) Dial(ctx context.Context, _, _ string) (net.Conn, error) { return r.pipes.dial(ctx) }

// Close ends all connections.
func (r *Relay) Close() error {
	if r.server != nil {
		r.server.Stop()
	}
	r.stop()
	r.stopped.Wait()
	var errs []error
	for _, m := range r.members {
		errs = append(errs, m.conn.Close())
	}
	return errors.Join(errs...)
}

func (r *Relay) waitForMember(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if r.pick() != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no member of etcd answers: %s", r.complaints())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// pick returns the next member that answers, nil if none does: one that knows a
// leader if there is one.
func (r *Relay) pick() *member {
	var leaderless *member
	start := r.next.Add(1)
	for n := range uint64(len(r.members)) {
		m := r.members[(start+n)%uint64(len(r.members))]
		switch m.health() {
		case good:
			return m
		case noLeader:
			leaderless = m
		}
	}
	return leaderless
}

// complaints is why the members do not answer.
func (r *Relay) complaints() string {
	var all []string
	for _, m := range r.members {
		if err := m.complaint(); err != nil {
			all = append(all, m.server+": "+err.Error())
		}
	}
	return strings.Join(all, "; ")
}

// pass is one request, or one stream of them, from begin to end.
func (r *Relay) pass(_ any, client grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(client)
	begun, err := r.begin(client.Context(), method)
	if err != nil {
		return err
	}
	defer begun.release()
	// It ends with this call: the client can say nothing then.
	go send(client, begun.etcd)
	err = explain(begun.ctx, receive(begun.etcd, client))
	client.SetTrailer(begun.etcd.Trailer())
	return err
}

// request is one that a member works on.
type request struct {
	etcd grpc.ClientStream
	// ctx is that of the stream, which ends with release.
	ctx     context.Context //nolint:containedctx // it tells why the stream ended
	release func()
}

// begin begins a request at a member that answers. One that went away a moment ago
// may still pass for such: it has got nothing of the request then, which is begun at
// the next one.
func (r *Relay) begin(client context.Context, method string) (*request, error) {
	for range r.members {
		m := r.pick()
		if m == nil {
			break
		}
		begun, err := m.begin(client, method)
		if err == nil {
			return begun, nil
		}
		if status.Code(err) != codes.Unavailable || client.Err() != nil {
			return nil, err
		}
	}
	// Why is in the log: where the members are is nothing for those who ask the API.
	return nil, status.Error(codes.Unavailable, "no member of etcd answers")
}

// send passes on what the client says, until it has said all.
func send(client grpc.ServerStream, etcd grpc.ClientStream) {
	for {
		var message frame
		if err := client.RecvMsg(&message); err != nil {
			if errors.Is(err, io.EOF) {
				_ = etcd.CloseSend() // never fails
			}
			return
		}
		if err := etcd.SendMsg(&message); err != nil {
			return // the reason is what receiving gives
		}
	}
}

// receive passes on what etcd says, until it has said all.
func receive(etcd grpc.ClientStream, client grpc.ServerStream) error {
	for first := true; ; first = false {
		var message frame
		err := etcd.RecvMsg(&message)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if first {
			header, err := etcd.Header()
			if err != nil {
				return err
			}
			if err := client.SendHeader(header); err != nil {
				return err
			}
		}
		if err := client.SendMsg(&message); err != nil {
			return err
		}
	}
}

func logger(ctx context.Context) klog.Logger { return klog.FromContext(ctx).WithName("etcd-relay") }
