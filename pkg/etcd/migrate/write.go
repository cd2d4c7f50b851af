// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"
)

const (
	// txnKeys and txnBytes bound a transaction, by what an etcd takes unless it was
	// told otherwise: 128 operations, 1.5 MiB.
	txnKeys  = 100
	txnBytes = 1 << 20
	// advancers is how many writes are under way at a time where only their number
	// matters.
	advancers = 256
	// advanceNews is after how many of them there is a line about it.
	advanceNews = 100_000
	// maxAdvance is how many writes are made for that at most: some hours' worth.
	maxAdvance = 20_000_000
)

// ErrTooFar means that the revision of a destination is too far behind.
var ErrTooFar = errors.New("the destination is too far behind: make it from a snapshot, by etcdutl snapshot restore with --bump-revision and --mark-compacted")

// write puts keys and values, as they are.
func write(ctx context.Context, to *clientv3.Client, page []*mvccpb.KeyValue) error {
	var puts []clientv3.Op
	size := 0
	flush := func() error {
		if len(puts) == 0 {
			return nil
		}
		_, err := to.Txn(ctx).Then(puts...).Commit()
		if err != nil {
			return fmt.Errorf("writing %d keys from %s on: %w", len(puts), puts[0].KeyBytes(), explain(err))
		}
		puts, size = nil, 0
		return nil
	}
	for _, kv := range page {
		if len(puts) == txnKeys || size+len(kv.Value) > txnBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		puts = append(puts, clientv3.OpPut(string(kv.Key), string(kv.Value)))
		size += len(kv.Key) + len(kv.Value)
	}
	return flush()
}

// explain says what to do about what an etcd refuses.
func explain(err error) error {
	switch {
	case errors.Is(err, rpctypes.ErrRequestTooLarge):
		return fmt.Errorf("%w: start the destination with --max-request-bytes=2097152 (2 MiB)", err)
	case errors.Is(err, rpctypes.ErrNoSpace):
		return fmt.Errorf("%w: compact and defragment the destination, or raise its --quota-backend-bytes; then take back its alarm", err)
	default:
		return err
	}
}

// advance has an etcd come to a revision, by writes to one key: there is no other
// way while it runs.
func advance(ctx context.Context, client *clientv3.Client, key string, revision int64) error {
	now, err := client.Get(ctx, key, clientv3.WithCountOnly())
	if err != nil {
		return fmt.Errorf("asking the destination for its revision: %w", err)
	}
	missing := revision - now.Header.Revision
	if missing <= 0 {
		return nil
	}
	if missing > maxAdvance {
		return fmt.Errorf("%w: it is at %d, and would need %d writes to come past %d", ErrTooFar, now.Header.Revision, missing, revision)
	}
	logger := klog.FromContext(ctx)
	logger.Info("Bringing the destination past the revision of the source", "revision", revision, "writes", missing)
	var done atomic.Int64
	group, groupCtx := errgroup.WithContext(ctx)
	for range advancers {
		group.Go(func() error {
			for {
				n := done.Add(1)
				if n > missing {
					return nil
				}
				if n%advanceNews == 0 {
					logger.Info("Bringing the destination past the revision of the source", "done", n, "of", missing)
				}
				if _, err := client.Put(groupCtx, key, ""); err != nil {
					return fmt.Errorf("bringing the destination past the revision of the source: %w", explain(err))
				}
			}
		})
	}
	return group.Wait()
}
