// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// pageKeys is how many keys are asked for at a time, at first.
	pageKeys = 100
	maxKeys  = 1000
	// pageBytes is how much a page should have: one that had more makes the next one
	// smaller.
	pageBytes = 4 << 20
)

// Keys is where the keys of KSIT begin: what others keep under the same prefix is
// none of them.
func Keys(prefix string) string { return strings.TrimRight(prefix, "/") + "/ksit.io/" }

// walk calls do with the keys that begin with start, in order, as they were at a
// revision. It holds one page in memory.
func walk(ctx context.Context, client *clientv3.Client, start string, revision int64, do func([]*mvccpb.KeyValue) error) error {
	end := clientv3.GetPrefixRangeEnd(start)
	limit := int64(pageKeys)
	for next := start; ; {
		page, err := client.Get(ctx, next, clientv3.WithRange(end), clientv3.WithRev(revision), clientv3.WithLimit(limit))
		if err != nil {
			return fmt.Errorf("reading keys from %s on: %w", next, err)
		}
		if len(page.Kvs) == 0 {
			return nil
		}
		if err := do(page.Kvs); err != nil {
			return err
		}
		if !page.More {
			return nil
		}
		next = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
		limit = nextLimit(limit, page.Kvs)
	}
}

// nextLimit is how many keys to ask for after a page.
func nextLimit(limit int64, page []*mvccpb.KeyValue) int64 {
	size := 0
	for _, kv := range page {
		size += len(kv.Value)
	}
	switch {
	case size > pageBytes:
		return max(1, limit/2)
	case size < pageBytes/4:
		return min(maxKeys, 2*limit)
	default:
		return limit
	}
}

// Digest is what some keys and their values come to.
type Digest struct {
	// Keys is their number, Bytes the size of the values.
	Keys, Bytes int64
	// Sum is a hash of all keys and values in order.
	Sum [sha256.Size]byte
}

// digests returns what the keys that begin with start come to, by the resource,
// which is the next part of the key.
func digests(ctx context.Context, client *clientv3.Client, start string, revision int64) (map[string]Digest, error) {
	all := map[string]Digest{}
	err := walk(ctx, client, start, revision, func(page []*mvccpb.KeyValue) error {
		for _, kv := range page {
			resource, _, _ := strings.Cut(string(kv.Key[len(start):]), "/")
			all[resource] = all[resource].with(kv.Key, kv.Value)
		}
		return nil
	})
	return all, err
}

func (d Digest) with(key, value []byte) Digest {
	hash := sha256.New()
	hash.Write(d.Sum[:])
	for _, part := range [][]byte{key, value} {
		// Their lengths keep what is between them apart.
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		hash.Write(part)
	}
	hash.Sum(d.Sum[:0])
	d.Keys++
	d.Bytes += int64(len(value))
	return d
}
