// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxSocketPath is the longest path that every supported system takes for a
// unix socket: 104 bytes on the BSDs and macOS, with the closing zero.
const maxSocketPath = 103

const socketName = "etcd.sock"

// socket is where etcd listens.
type socket struct {
	path string
	// dir was made for the socket alone and goes with it; empty otherwise.
	dir string
}

// makeSocket finds a place for the socket: in the data directory, or, where
// that makes too long a path, in a private directory under the temporary one.
// The caller holds the lock on dir, so what a dead process left may be removed.
func makeSocket(dir string) (*socket, error) {
	if path := filepath.Join(dir, socketName); len(path) <= maxSocketPath {
		return &socket{path: path}, nil
	}
	digest := sha256.Sum256([]byte(dir))
	short := filepath.Join(os.TempDir(), "ksit-etcd-"+hex.EncodeToString(digest[:8]))
	s := &socket{path: filepath.Join(short, socketName), dir: short}
	if len(s.path) > maxSocketPath {
		return nil, fmt.Errorf("no path for the etcd socket is short enough: %s and %s are over %d bytes; use a shorter data directory",
			filepath.Join(dir, socketName), s.path, maxSocketPath)
	}
	if err := s.remove(); err != nil {
		return nil, err
	}
	// Mkdir, unlike MkdirAll, fails when somebody else has put something there.
	if err := os.Mkdir(short, 0o700); err != nil {
		return nil, fmt.Errorf("making a directory for the etcd socket: %w", err)
	}
	return s, nil
}

// remove deletes the socket and the directory made for it. In a temporary
// directory only their owner can.
func (s *socket) remove() error {
	for _, path := range []string{s.path, s.dir} {
		if path == "" {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the etcd socket: %w", err)
		}
	}
	return nil
}
