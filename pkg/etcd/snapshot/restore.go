// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.etcd.io/etcd/server/v3/embed"

	"ksit.io/ksit/pkg/etcd"
)

// DefaultRevisionBump is by how much revisions go up at a restore: more than KSIT
// writes in the time between two snapshots, and little enough for a migration to an
// etcd of its own processes, which has to be brought there write by write.
const DefaultRevisionBump = 1_000_000

// ErrHasData means that a data directory which must be empty is not.
var ErrHasData = errors.New("the data directory holds an etcd already")

// Info is what a snapshot holds.
type Info struct {
	// Revision is the last one.
	Revision int64
	// Keys is the number of keys, all of them.
	Keys int
	// Bytes is the size of the database.
	Bytes int64
}

// Inspect checks a snapshot, first by the hash at its end, then page by page, and
// says what it holds.
func Inspect(path string) (Info, error) {
	if err := checkHash(path); err != nil {
		return Info{}, fmt.Errorf("the snapshot %s: %w", path, err)
	}
	var status snapshot.Status
	err := newLibrary().call(func(manager snapshot.Manager) (err error) {
		status, err = manager.Status(path)
		return err
	})
	if err != nil {
		return Info{}, fmt.Errorf("reading the snapshot %s: %w", path, err)
	}
	return Info{Revision: status.Revision, Keys: status.TotalKey, Bytes: status.TotalSize}, nil
}

func checkHash(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	check := newTrailer()
	if _, err := io.Copy(check, file); err != nil {
		return err
	}
	return check.verify()
}

// Restore makes the etcd of a data directory from a snapshot. The directory must
// have none; nothing else in it is touched. Revisions go up by bump, and all
// before that count as compacted: nobody who holds a resourceVersion from after
// the snapshot was taken can mistake what comes for what was. It is done as a whole
// or not at all, and a process that was killed in the middle leaves nothing that
// hinders the next.
func Restore(ctx context.Context, path, dir string, bump uint64) (_ Info, err error) {
	info, err := Inspect(path)
	if err != nil {
		return Info{}, err
	}
	release, err := etcd.Claim(dir)
	if err != nil {
		return Info{}, err
	}
	defer func() { err = errors.Join(err, release()) }()
	member := etcd.MemberDir(dir)
	if _, err := os.Lstat(member); err == nil {
		return Info{}, fmt.Errorf("%w: move %s away first", ErrHasData, member)
	}
	part := etcd.RestoringDir(dir)
	if err := os.RemoveAll(part); err != nil {
		return Info{}, fmt.Errorf("removing what an earlier restore left: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(part))
		}
	}()
	config := embed.NewConfig()
	peers := config.AdvertisePeerUrls[0].String()
	err = newLibrary().call(func(manager snapshot.Manager) error {
		return manager.Restore(snapshot.RestoreConfig{
			SnapshotPath:        path,
			Name:                etcd.MemberName,
			OutputDataDir:       part,
			PeerURLs:            []string{peers},
			InitialCluster:      config.InitialClusterFromName(etcd.MemberName),
			InitialClusterToken: config.InitialClusterToken,
			RevisionBump:        bump,
			MarkCompacted:       bump > 0,
		})
	})
	if err != nil {
		return Info{}, fmt.Errorf("restoring the snapshot %s: %w", path, err)
	}
	if err := ctx.Err(); err != nil {
		return Info{}, err
	}
	if err := os.Rename(part, member); err != nil {
		return Info{}, fmt.Errorf("naming what was restored: %w", err)
	}
	return info, syncDir(filepath.Dir(member))
}
