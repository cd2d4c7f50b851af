// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package snapshot writes what an etcd holds into a file, checks such a file, and
// makes the data directory of an embedded etcd from it. The format is etcd's own:
// etcdctl and etcdutl read and write it too.
package snapshot

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	clientv3 "go.etcd.io/etcd/client/v3"

	"ksit.io/ksit/pkg/etcd/endpoint"
)

// Saved says what was written.
type Saved struct {
	// Bytes is its size.
	Bytes int64
	// Version is that of the etcd's storage; empty before etcd 3.6.
	Version string
}

// Save writes a snapshot of the etcd, as it is at one moment, and checks what was
// received by the hash at its end. When it fails, what was written is useless.
func Save(ctx context.Context, client *clientv3.Client, to io.Writer) (Saved, error) {
	// One member sends it; several would be asked in turn.
	member, err := endpoint.Healthy(ctx, client)
	if err != nil {
		return Saved{}, err
	}
	all := client.Endpoints()
	client.SetEndpoints(member)
	defer client.SetEndpoints(all...)
	response, err := client.SnapshotWithVersion(ctx)
	if err != nil {
		return Saved{}, fmt.Errorf("asking etcd at %s for a snapshot: %w", member, err)
	}
	defer func() { _ = response.Snapshot.Close() }()
	check := newTrailer()
	written, err := io.Copy(io.MultiWriter(to, check), response.Snapshot)
	if err != nil {
		return Saved{}, fmt.Errorf("writing the snapshot of etcd at %s: %w", member, err)
	}
	if err := check.verify(); err != nil {
		return Saved{}, fmt.Errorf("the snapshot of etcd at %s: %w", member, err)
	}
	return Saved{Bytes: written, Version: response.Version}, nil
}

// SaveFile is Save into a file that only its owner can read. It is there as a
// whole or not at all, and no other is overwritten unless that is asked for.
func SaveFile(ctx context.Context, client *clientv3.Client, path string, overwrite bool) (_ Saved, err error) {
	if !overwrite {
		if _, err := os.Lstat(path); err == nil {
			return Saved{}, fmt.Errorf("%s exists: it is not overwritten unless that is asked for", path)
		}
	}
	part, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".part-*") // with mode 0600
	if err != nil {
		return Saved{}, fmt.Errorf("making the file of the snapshot: %w", err)
	}
	defer func() {
		if removeErr := os.Remove(part.Name()); removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}()
	saved, err := Save(ctx, client, part)
	if err == nil {
		err = part.Sync()
	}
	if err := errors.Join(err, part.Close()); err != nil {
		return Saved{}, err
	}
	return saved, publish(part.Name(), path, overwrite)
}

// publish gives the finished file its name.
func publish(part, path string, overwrite bool) error {
	var err error
	if overwrite {
		err = os.Rename(part, path)
	} else {
		// Unlike Rename, Link leaves one alone that came to be in the meantime.
		err = os.Link(part, path)
	}
	if err != nil {
		return fmt.Errorf("naming the file of the snapshot: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// syncDir has the names in a directory outlive a crash of the machine.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening the directory %s: %w", path, err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// trailer hashes what is written to it but for the hash at the end.
type trailer struct {
	hash hash.Hash
	// tail are the last bytes, which may be the hash.
	tail []byte
	size int64
}

func newTrailer() *trailer { return &trailer{hash: sha256.New()} }

// Write implements io.Writer.
func (t *trailer) Write(data []byte) (int, error) {
	t.size += int64(len(data))
	t.tail = append(t.tail, data...)
	if extra := len(t.tail) - sha256.Size; extra > 0 {
		t.hash.Write(t.tail[:extra])
		t.tail = append(t.tail[:0], t.tail[extra:]...)
	}
	return len(data), nil
}

// sector is what the size of a database is a multiple of.
const sector = 512

func (t *trailer) verify() error {
	if t.size%sector != sha256.Size {
		return errors.New("it has no hash at its end: it is cut off, or no snapshot of etcd")
	}
	if string(t.hash.Sum(nil)) != string(t.tail) {
		return errors.New("it is damaged: its hash is another than the one at its end")
	}
	return nil
}
