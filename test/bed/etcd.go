// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// etcdStart is how long an etcd may take to answer.
const etcdStart = 60 * time.Second

// StartEtcd starts an etcd beside the clusters, for an API server of KSIT, and
// returns its URL. It does not wait for the disk, and lets anybody in.
func (b *Bed) StartEtcd(ctx context.Context, name string) (url string, err error) {
	client, err := b.listenAddress()
	if err != nil {
		return "", err
	}
	peer, err := b.listenAddress()
	if err != nil {
		return "", err
	}
	p := b.etcdProcess(name, etcdArgs(filepath.Join(b.Dir, name), client, peer))
	if err := p.Start(); err != nil {
		return "", err
	}
	if err := waitForEtcd(ctx, p, func(ctx context.Context) error { return listens(ctx, client) }); err != nil {
		return "", err
	}
	return "http://" + client.String(), nil
}

func (b *Bed) etcdProcess(name string, args []string) *Process {
	return b.NewProcess(ProcessSpec{Name: name, Path: b.Tools.Etcd, Dir: b.Dir, Args: args})
}

func waitForEtcd(ctx context.Context, p *Process, check func(context.Context) error) error {
	if err := waitFor(ctx, p, etcdStart, check); err != nil {
		return fmt.Errorf("waiting for %s, whose log is %s: %w", p.Name(), p.LogFile(), err)
	}
	return nil
}
