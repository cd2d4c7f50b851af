// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
)

// ErrNoData means that there is no etcd in a data directory.
var ErrNoData = errors.New("there is no etcd in the data directory")

// MemberDir is where in a data directory etcd keeps what it stores.
func MemberDir(dir string) string { return filepath.Join(dir, "member") }

// RestoringDir and MigratingDir hold what is to become of a data directory until it
// is complete.
func RestoringDir(dir string) string { return MemberDir(dir) + ".restoring" }

// MigratingDir is a data directory in a data directory.
func MigratingDir(dir string) string { return filepath.Join(dir, "migrating") }

// refuseUnfinished fails where a restore or a migration was cut off: a server that
// began with nothing in its stead would look as if all was lost.
func refuseUnfinished(dir string) error {
	if _, err := os.Lstat(MemberDir(dir)); err == nil {
		return nil
	}
	for what, left := range map[string]string{"restore": RestoringDir(dir), "migration": MigratingDir(dir)} {
		if _, err := os.Lstat(left); err == nil {
			return fmt.Errorf("a %s into %s did not come to its end: run it again, or remove %s", what, dir, left)
		}
	}
	return nil
}

// Find looks for the etcd in a data directory. The endpoint is that of the process
// which runs it, and empty when none does. Without data it fails with ErrNoData,
// and makes nothing.
func Find(dir string) (endpoint string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("resolving the data directory %s: %w", dir, err)
	}
	if _, err := os.Stat(MemberDir(dir)); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w %s: is its name right?", ErrNoData, dir)
	} else if err != nil {
		return "", fmt.Errorf("looking into the data directory: %w", err)
	}
	used, err := inUse(dir)
	if err != nil || !used {
		return "", err
	}
	for _, s := range places(dir) {
		if _, err := os.Stat(s.path); err == nil {
			return s.endpoint(), nil
		}
	}
	return "", fmt.Errorf("%w, and its socket is not there (yet): %s", ErrInUse, dir)
}

// inUse is whether a process has the lock of a data directory.
func inUse(dir string) (bool, error) {
	lock, err := fileutil.TryLockFile(lockPath(dir), os.O_RDWR, 0o600)
	switch {
	case errors.Is(err, fileutil.ErrLocked):
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("looking at the lock of the data directory: %w", err)
	}
	return false, lock.Close()
}

// Claim takes the lock of a data directory, which it makes when missing, as a
// server does, so that none can start until release is called.
func Claim(dir string) (release func() error, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("resolving the data directory %s: %w", dir, err)
	}
	if err := makePrivateDir(dir); err != nil {
		return nil, err
	}
	lock, err := acquire(lockPath(dir))
	if err != nil {
		return nil, err
	}
	return lock.Close, nil
}

func lockPath(dir string) string { return filepath.Join(dir, "lock") }
