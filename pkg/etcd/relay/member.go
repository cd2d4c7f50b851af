// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	// askPause is how long after an answer a member is asked again, and askTimeout
	// how long it may take to answer: one that takes longer hangs.
	askPause   = time.Second
	askTimeout = 4 * time.Second
	// connectDelay is the longest time between two tries to connect.
	connectDelay = 2 * time.Second
)

// health is whether a member is of use.
type health int

const (
	// bad is one that does not answer.
	bad health = iota
	// noLeader answers, and can do nothing alone. It may just be electing.
	noLeader
	good
)

// String implements fmt.Stringer.
func (h health) String() string { return [...]string{"no answer", "no leader", "good"}[h] }

// errHangs ends what waits for a member that does not answer.
var errHangs = errors.New("it does not answer")

// member is one member of etcd, and the requests that it is working on.
type member struct {
	server string
	conn   *grpc.ClientConn

	mu    sync.Mutex
	state health
	err   error
	// silent is how often in a row it was asked in vain.
	silent int
	// lost ends all requests that are under way; it is made anew for those after.
	lost context.Context
	lose context.CancelCauseFunc
}

func newMember(server string, config *tls.Config) (*member, error) {
	scheme, address, _ := strings.Cut(server, "://")
	target := "passthrough:///" + address
	if scheme == "unix" {
		target = server
	}
	creds := insecure.NewCredentials()
	if scheme == "https" {
		creds = credentials.NewTLS(config.Clone())
	}
	delay := backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: connectDelay}
	conn, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(creds),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: delay, MinConnectTimeout: askTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: askTimeout, PermitWithoutStream: true}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
	)
	if err != nil {
		return nil, fmt.Errorf("connecting to etcd at %s: %w", server, err)
	}
	m := &member{server: server, conn: conn, err: errors.New("it was not asked yet")}
	m.lost, m.lose = context.WithCancelCause(context.Background())
	return m, nil
}

// watch asks the member how it is until ctx ends.
func (m *member) watch(ctx context.Context) {
	client := pb.NewMaintenanceClient(m.conn)
	for {
		m.note(ctx, m.ask(ctx, client))
		select {
		case <-ctx.Done():
			return
		case <-time.After(askPause):
		}
	}
}

// errNoLeader is what a member without one is known by.
var errNoLeader = errors.New("it knows no leader")

func (m *member) ask(ctx context.Context, client pb.MaintenanceClient) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	// Waiting, since a connection may just be made.
	answer, err := client.Status(ctx, &pb.StatusRequest{})
	switch {
	case status.Code(err) == codes.DeadlineExceeded:
		return errHangs
	case err != nil:
		return errors.New(status.Convert(err).Message())
	case answer.Leader == 0:
		return errNoLeader
	}
	return nil
}

// note takes down what was found. One that was asked in vain gets no more requests;
// once more, and those that wait for it are ended.
func (m *member) note(ctx context.Context, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	before := m.state
	m.err, m.state = err, healthOf(err)
	if m.state != bad {
		m.silent = 0
	} else if m.silent++; m.silent == 2 {
		m.lose(errHangs)
		m.lost, m.lose = context.WithCancelCause(context.Background())
	}
	if before != m.state {
		logger(ctx).Info("A member of etcd changed", "member", m.server, "state", m.state.String(), "err", err)
	}
}

func healthOf(err error) health {
	switch {
	case err == nil:
		return good
	case errors.Is(err, errNoLeader):
		return noLeader
	default:
		return bad
	}
}

func (m *member) health() health {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

func (m *member) complaint() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// hold gives a request a context that ends when the member is lost. The caller must
// release it.
func (m *member) hold(ctx context.Context) (_ context.Context, release func()) {
	m.mu.Lock()
	lost := m.lost
	m.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(lost, func() { cancel(context.Cause(lost)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// begin begins a request of a client. When it fails, nothing was sent.
func (m *member) begin(client context.Context, method string) (*request, error) {
	ctx, release := m.hold(client)
	if sent, ok := metadata.FromIncomingContext(client); ok {
		sent = sent.Copy()
		delete(sent, ":authority")
		ctx = metadata.NewOutgoingContext(ctx, sent)
	}
	etcd, err := m.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method, grpc.ForceCodecV2(codec{}))
	if err != nil {
		release()
		return nil, explain(ctx, err)
	}
	return &request{etcd: etcd, ctx: ctx, release: release}, nil
}

// explain says of a request that was ended because the member hangs that this is
// why. Other errors are etcd's own.
func explain(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errHangs) {
		return status.Error(codes.Unavailable, "the member of etcd that was asked does not answer")
	}
	return err
}
