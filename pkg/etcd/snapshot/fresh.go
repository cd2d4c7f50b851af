// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"ksit.io/ksit/pkg/etcd/endpoint"
)

// Fresh makes a data directory with an etcd that is empty and begins after a
// revision, however high, at once. The directory must not be there.
func Fresh(ctx context.Context, dir string, revision int64) (err error) {
	empty := filepath.Join(dir, "empty")
	defer func() { err = errors.Join(err, os.RemoveAll(empty)) }()
	file := filepath.Join(empty, "snapshot.db")
	begun, err := saveEmpty(ctx, filepath.Join(empty, "data"), file)
	if err != nil {
		return fmt.Errorf("making an empty etcd: %w", err)
	}
	_, err = Restore(ctx, file, dir, uint64(max(1, revision-begun)))
	return err
}

// saveEmpty saves an etcd without keys into a file, and returns its revision.
func saveEmpty(ctx context.Context, dir, file string) (revision int64, err error) {
	connection, err := endpoint.Start(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, connection.Close()) }()
	// One that was never written to has no revision to count from.
	if _, err := connection.Put(ctx, "empty", ""); err != nil {
		return 0, err
	}
	deleted, err := connection.Delete(ctx, "empty")
	if err != nil {
		return 0, err
	}
	if _, err := SaveFile(ctx, connection.Client, file, false); err != nil {
		return 0, err
	}
	return deleted.Header.Revision, nil
}
