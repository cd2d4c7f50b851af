// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
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

// places are where the socket of a data directory may be, in this order: in the
// directory itself, or, where that makes too long a path, in a private directory
// under the temporary one.
func places(dir string) []socket {
	digest := sha256.Sum256([]byte(dir))
	short := filepath.Join(os.TempDir(), "ksit-etcd-"+hex.EncodeToString(digest[:8]))
	var found []socket
	for _, s := range []socket{
		{path: filepath.Join(dir, socketName)},
		{path: filepath.Join(short, socketName), dir: short},
	} {
		if len(s.path) <= maxSocketPath {
			found = append(found, s)
		}
	}
	return found
}

// makeSocket finds a place for the socket. The caller holds the lock on dir, so
// what a dead process left may be removed.
func makeSocket(dir string) (*socket, error) {
	found := places(dir)
	if len(found) == 0 {
		return nil, fmt.Errorf("no path for the etcd socket of %s is short enough, nor one in %s: it is over %d bytes; use a shorter data directory",
			dir, os.TempDir(), maxSocketPath)
	}
	s := &found[0]
	if s.dir == "" {
		return s, nil
	}
	if err := s.remove(); err != nil {
		return nil, err
	}
	// Mkdir, unlike MkdirAll, fails when somebody else has put something there.
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making a directory for the etcd socket: %w", err)
	}
	return s, nil
}

// endpoint is what a client connects to.
func (s *socket) endpoint() string { return (&url.URL{Scheme: "unix", Path: s.path}).String() }

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
