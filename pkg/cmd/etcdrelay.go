// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"errors"

	"ksit.io/ksit/pkg/cmd/options"
	"ksit.io/ksit/pkg/etcd/endpoint"
	"ksit.io/ksit/pkg/etcd/migrate"
	"ksit.io/ksit/pkg/etcd/relay"
)

// relayEtcd puts a relay between the server of the options and its etcd, where that
// has processes of its own. It is to be closed when the server has stopped.
func relayEtcd(ctx context.Context, o *options.APIServer) (closeRelay func() error, err error) {
	members, possible := o.Etcd()
	if !possible {
		return func() error { return nil }, nil
	}
	r, err := relay.Start(ctx, members)
	if err != nil {
		return nil, err
	}
	if err := refuseHalf(ctx, members, o.Recommended.Etcd.StorageConfig.Prefix); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	o.SetEtcd(relay.Endpoint, r.Dial)
	return r.Close, nil
}

// refuseHalf fails where a migration did not come to its end: controllers would take
// what is missing for deleted.
func refuseHalf(ctx context.Context, members endpoint.Options, prefix string) (err error) {
	client, err := endpoint.Dial(ctx, members)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	unfinished, err := migrate.Unfinished(ctx, client, prefix)
	if err == nil && unfinished {
		return errors.New("a migration into this etcd did not come to its end: run ksit etcd migrate again, and wait for it")
	}
	return err
}
