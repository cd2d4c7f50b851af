// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// diskStore keeps each body in a file named by the hash of its URL, and the
// hash of each body in memory: a file that changed under it is not used.
type diskStore struct {
	dir    string
	hashes map[string][sha256.Size]byte
}

// suffix marks the files that a store may remove.
const suffix = ".download"

func newDiskStore(dir string) (*diskStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of the download cache: %w", err)
	}
	old, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("the directory of the download cache: %w", err)
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			return nil, fmt.Errorf("emptying the download cache: %w", err)
		}
	}
	return &diskStore{dir: dir, hashes: map[string][sha256.Size]byte{}}, nil
}

func (s *diskStore) file(url string) string {
	sum := sha256.Sum256([]byte(url))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:])+suffix)
}

func (s *diskStore) read(url string) []byte {
	body, err := os.ReadFile(s.file(url))
	if err != nil || sha256.Sum256(body) != s.hashes[url] {
		return nil
	}
	return body
}

// write keeps nothing when the disk is full or gone: a download is then made
// again, which is no reason to fail.
func (s *diskStore) write(url string, body []byte) bool {
	if err := os.WriteFile(s.file(url), body, 0o600); err != nil {
		s.remove(url)
		return false
	}
	s.hashes[url] = sha256.Sum256(body)
	return true
}

func (s *diskStore) remove(url string) {
	delete(s.hashes, url)
	// A file that stays is emptied out at the next start.
	_ = os.Remove(s.file(url))
}
