// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// etcdAnswer bounds one question to a member, which may be frozen.
const etcdAnswer = 3 * time.Second

// Client returns a client of all members. The caller closes it.
func (e *EtcdCluster) Client() (*clientv3.Client, error) {
	return e.client(e.Endpoints(""))
}

func (e *EtcdCluster) client(endpoints []string) (*clientv3.Client, error) {
	config, err := transport.TLSInfo{TrustedCAFile: e.Cert.CA, CertFile: e.Cert.Cert, KeyFile: e.Cert.Key}.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the client certificate of %s: %w", e.Name, err)
	}
	return clientv3.New(clientv3.Config{Endpoints: endpoints, TLS: config, DialTimeout: etcdAnswer, Logger: zap.NewNop()})
}

// Leader returns the member that leads, and an error when none does.
func (e *EtcdCluster) Leader(ctx context.Context) (*EtcdMember, error) {
	var errs []error
	for _, member := range e.Members {
		if member.frozen || !member.Process.Running() {
			continue
		}
		status, err := member.status(ctx)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if status.Leader == status.Header.MemberId {
			return member, nil
		}
	}
	return nil, errors.Join(append(errs, fmt.Errorf("no member of %s leads", e.Name))...)
}

// Follower returns a member that runs and does not lead.
func (e *EtcdCluster) Follower(ctx context.Context) (*EtcdMember, error) {
	leader, err := e.Leader(ctx)
	if err != nil {
		return nil, err
	}
	for _, member := range e.Members {
		if member != leader && !member.frozen && member.Process.Running() {
			return member, nil
		}
	}
	return nil, fmt.Errorf("no member of %s follows %s", e.Name, leader.Name)
}

// MoveLeader hands the lead over to another member, and returns when that leads.
func (e *EtcdCluster) MoveLeader(ctx context.Context, to *EtcdMember) error {
	leader, err := e.Leader(ctx)
	if err != nil {
		return err
	}
	status, err := to.status(ctx)
	if err != nil {
		return err
	}
	client, err := e.client([]string{leader.URL()})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	asked, cancel := context.WithTimeout(ctx, etcdStart)
	defer cancel()
	if _, err := client.MoveLeader(asked, status.Header.MemberId); err != nil {
		return fmt.Errorf("moving the lead from %s to %s: %w", leader.Name, to.Name, err)
	}
	return poll(asked, 20*time.Millisecond, func(ctx context.Context) error {
		if now, err := e.Leader(ctx); err != nil || now != to {
			return fmt.Errorf("%s does not lead yet (error: %v)", to.Name, err)
		}
		return nil
	})
}

// status asks the member itself.
func (m *EtcdMember) status(ctx context.Context) (*clientv3.StatusResponse, error) {
	client, err := m.cluster.client([]string{m.URL()})
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(ctx, etcdAnswer)
	defer cancel()
	status, err := client.Status(ctx, m.URL())
	if err != nil {
		return nil, fmt.Errorf("asking %s for its status: %w", m.Name, err)
	}
	return status, nil
}
