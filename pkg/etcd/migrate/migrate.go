// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package migrate copies what KSIT keeps from one etcd into another: key by key,
// byte by byte, so that what is encrypted stays so, and nobody who knew the one
// can mistake a revision of the other for an older state of it.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/klog/v2"
)

// Reasons for not touching a destination or trusting a copy.
var (
	// ErrNotEmpty means that there are keys already.
	ErrNotEmpty = errors.New("the destination holds objects of KSIT already")
	// ErrChanged means that somebody wrote while keys were copied.
	ErrChanged = errors.New("the source changed in the meantime: a KSIT still writes to it; stop it and migrate again")
	// ErrEmpty means that there is nothing to copy, which is a wrong name more often
	// than it is meant.
	ErrEmpty = errors.New("the source holds no objects of KSIT: is its name right, and the prefix?")
)

// Options say what is copied.
type Options struct {
	// From and To are the two.
	From, To *clientv3.Client
	// Prefix is where all keys begin, in both: what is encrypted is bound to its key.
	Prefix string
	// Overwrite has what KSIT keeps in the destination deleted first.
	Overwrite bool
	// Margin is how far past the revision of the source the destination begins. It is
	// for a source that is older than what clients have seen.
	Margin int64
}

// Result says what was copied.
type Result struct {
	// Resources has what was copied of each.
	Resources map[string]Digest
	// FromRevision is that of the source, ToRevision that of the copy.
	FromRevision, ToRevision int64
}

// Keys is the number of keys that were copied.
func (r Result) Keys() int64 {
	var keys int64
	for _, digest := range r.Resources {
		keys += digest.Keys
	}
	return keys
}

// Run copies, and then compares both by their hashes. Nobody may write to the
// source, nor use the destination, while it runs. A destination with keys is
// refused, but for those of a Run that did not come to its end: that one is begun
// anew. Until it has, Unfinished tells.
func Run(ctx context.Context, o Options) (Result, error) {
	keys := Keys(o.Prefix)
	head, err := o.From.Get(ctx, keys, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return Result{}, fmt.Errorf("looking into the source: %w", err)
	}
	if head.Count == 0 {
		return Result{}, ErrEmpty
	}
	revision := head.Header.Revision
	if err := prepare(ctx, o); err != nil {
		return Result{}, err
	}
	if err := advance(ctx, o.To, mark(o.Prefix), revision+o.Margin); err != nil {
		return Result{}, err
	}
	klog.FromContext(ctx).Info("Copying", "keys", head.Count, "revision", revision)
	if err := walk(ctx, o.From, keys, revision, func(page []*mvccpb.KeyValue) error {
		return write(ctx, o.To, page)
	}); err != nil {
		return Result{}, err
	}
	result, err := compare(ctx, o, revision)
	if err != nil {
		return Result{}, err
	}
	if _, err := o.To.Delete(ctx, mark(o.Prefix)); err != nil {
		return Result{}, fmt.Errorf("removing the mark of the migration: %w", err)
	}
	return result, nil
}

// prepare empties the destination where that is allowed, and marks it.
func prepare(ctx context.Context, o Options) error {
	keys := Keys(o.Prefix)
	present, err := o.To.Get(ctx, keys, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return fmt.Errorf("looking into the destination: %w", err)
	}
	unfinished, err := Unfinished(ctx, o.To, o.Prefix)
	if err != nil {
		return err
	}
	if present.Count > 0 && !o.Overwrite && !unfinished {
		return fmt.Errorf("%w: %d keys under %s", ErrNotEmpty, present.Count, keys)
	}
	if _, err := o.To.Put(ctx, mark(o.Prefix), ""); err != nil {
		return fmt.Errorf("marking the destination: %w", err)
	}
	if present.Count == 0 {
		return nil
	}
	klog.FromContext(ctx).Info("Deleting what the destination holds", "keys", present.Count, "unfinished", unfinished)
	if _, err := o.To.Delete(ctx, keys, clientv3.WithPrefix()); err != nil {
		return fmt.Errorf("deleting what the destination holds: %w", err)
	}
	return nil
}

// mark is the key that is there while a copy is not complete.
func mark(prefix string) string {
	keys := Keys(prefix)
	return keys[:len(keys)-1] + "-migration"
}

// Unfinished is whether an etcd holds a copy that did not come to its end.
func Unfinished(ctx context.Context, client *clientv3.Client, prefix string) (bool, error) {
	found, err := client.Get(ctx, mark(prefix), clientv3.WithCountOnly())
	if err != nil {
		return false, fmt.Errorf("looking for the mark of a migration: %w", err)
	}
	return found.Count > 0, nil
}

// compare has the copy be what the source was and still is.
func compare(ctx context.Context, o Options, revision int64) (Result, error) {
	keys := Keys(o.Prefix)
	now, err := o.From.Get(ctx, keys, clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(1),
		clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortDescend))
	if err != nil {
		return Result{}, fmt.Errorf("looking into the source again: %w", err)
	}
	wanted, err := digests(ctx, o.From, keys, now.Header.Revision)
	if err != nil {
		return Result{}, err
	}
	before, err := digests(ctx, o.From, keys, revision)
	if err != nil {
		return Result{}, err
	}
	if len(now.Kvs) == 0 || now.Kvs[0].ModRevision > revision || !maps.Equal(wanted, before) {
		return Result{}, ErrChanged
	}
	written, err := o.To.Get(ctx, keys, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return Result{}, fmt.Errorf("looking into the destination again: %w", err)
	}
	got, err := digests(ctx, o.To, keys, written.Header.Revision)
	if err != nil {
		return Result{}, err
	}
	for _, resource := range slices.Sorted(maps.Keys(wanted)) {
		if got[resource] != wanted[resource] {
			return Result{}, fmt.Errorf("the copy of %s is not what the source has: %d keys of %d, or other values",
				resource, got[resource].Keys, wanted[resource].Keys)
		}
	}
	if len(got) != len(wanted) {
		return Result{}, errors.New("somebody wrote to the destination while it was copied to")
	}
	return Result{Resources: got, FromRevision: revision, ToRevision: written.Header.Revision}, nil
}
