// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"

	"ksit.io/ksit/pkg/etcd"
)

// Connection is a client of an etcd, and what was started for it.
type Connection struct {
	*clientv3.Client
	server *etcd.Server
}

// Close ends the client and stops what was started.
func (c *Connection) Close() error {
	err := c.Client.Close()
	if c.server != nil {
		err = errors.Join(err, c.server.Close())
	}
	return err
}

// Attach connects to the etcd of a data directory: to the process that runs it
// where there is one, by its socket, or else to one started for it.
func Attach(ctx context.Context, dir string) (*Connection, error) {
	running, err := etcd.Find(dir)
	if err != nil {
		return nil, err
	}
	if running != "" {
		client, err := Dial(ctx, Options{Servers: []string{running}})
		if err != nil {
			return nil, err
		}
		return &Connection{Client: client}, nil
	}
	return Own(ctx, dir)
}

// Own starts the etcd of a data directory, which must have one. It fails with
// etcd.ErrInUse while another process runs it, and keeps others from starting.
func Own(ctx context.Context, dir string) (*Connection, error) {
	if _, err := etcd.Find(dir); err != nil {
		return nil, err
	}
	return start(ctx, etcd.Options{Dir: dir})
}

// Start starts an etcd in a data directory, whether there was one or not.
func Start(ctx context.Context, dir string) (*Connection, error) {
	return start(ctx, etcd.Options{Dir: dir})
}

func start(ctx context.Context, options etcd.Options) (*Connection, error) {
	server, err := etcd.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	client, err := Dial(ctx, Options{Servers: []string{server.Endpoint()}})
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return &Connection{Client: client, server: server}, nil
}
