// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"ksit.io/ksit/pkg/etcd"
	"ksit.io/ksit/pkg/etcd/endpoint"
	"ksit.io/ksit/pkg/etcd/snapshot"
)

// IntoDataDir is Run into the data directory of an embedded etcd, which no process
// may be using. It makes an etcd beside what is there, and puts it in its place when
// it is complete: a process that is killed before leaves nothing that a server would
// start on. With Overwrite, what was there is kept under the name that is returned;
// without, a directory with an etcd is refused.
func IntoDataDir(ctx context.Context, dir string, o Options) (_ Result, kept string, err error) {
	release, err := etcd.Claim(dir)
	if err != nil {
		return Result{}, "", err
	}
	defer func() { err = errors.Join(err, release()) }()
	member := etcd.MemberDir(dir)
	_, statErr := os.Lstat(member)
	exists := statErr == nil
	if exists && !o.Overwrite {
		return Result{}, "", fmt.Errorf("%w: move %s away, or have it overwritten", snapshot.ErrHasData, member)
	}
	part := etcd.MigratingDir(dir)
	if err := os.RemoveAll(part); err != nil {
		return Result{}, "", fmt.Errorf("removing what an earlier migration left: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(part)) }()
	result, err := intoFresh(ctx, part, o)
	if err != nil {
		return Result{}, "", err
	}
	if exists {
		kept = fmt.Sprintf("%s.replaced-%s", member, time.Now().UTC().Format("20060102T150405Z"))
		if err := os.Rename(member, kept); err != nil {
			return Result{}, "", fmt.Errorf("keeping what was in the data directory: %w", err)
		}
	}
	if err := os.Rename(etcd.MemberDir(part), member); err != nil {
		return Result{}, kept, fmt.Errorf("putting the migrated etcd in its place: %w", err)
	}
	return result, kept, nil
}

// intoFresh copies into an etcd that begins after the revision of the source.
func intoFresh(ctx context.Context, dir string, o Options) (_ Result, err error) {
	head, err := o.From.Get(ctx, Keys(o.Prefix), clientv3.WithCountOnly())
	if err != nil {
		return Result{}, fmt.Errorf("asking the source for its revision: %w", err)
	}
	if err := snapshot.Fresh(ctx, dir, head.Header.Revision+o.Margin); err != nil {
		return Result{}, err
	}
	connection, err := endpoint.Own(ctx, dir)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, connection.Close()) }()
	o.To = connection.Client
	return Run(ctx, o)
}
