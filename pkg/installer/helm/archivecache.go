// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

const archiveSuffix = ".tgz"

// archiveCache keeps chart archives on disk by their digest, and by the scope of
// who fetched them: an index of one's own making must not get one somebody else's
// private chart. What is in it is not trusted: it is checked against the digest
// whenever it is read. A nil cache keeps nothing.
type archiveCache struct {
	dir      string
	maxBytes int64
	// mu keeps two writers from trimming at once.
	mu sync.Mutex
}

func newArchiveCache(dir string, maxBytes int64) (*archiveCache, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the cache of chart archives: %w", err)
	}
	return &archiveCache{dir: dir, maxBytes: maxBytes}, nil
}

// get returns the archive with a SHA-256 in hexadecimal. scope is that of a
// fetch.Client.
func (c *archiveCache) get(scope, sum string) ([]byte, bool) {
	if c == nil || !isSHA256(sum) {
		return nil, false
	}
	path := c.path(scope, sum)
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxArchiveBytes {
		return nil, false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	if sha256Hex(data) != sum {
		_ = os.Remove(path)
		return nil, false
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now)
	return data, true
}

func (c *archiveCache) path(scope, sum string) string {
	if scope != "" {
		sum += "-" + scope
	}
	return filepath.Join(c.dir, sum+archiveSuffix)
}

// put keeps an archive. That it could not is logged, and costs a download.
func (c *archiveCache) put(ctx context.Context, scope string, data []byte) {
	if c == nil || int64(len(data)) > c.maxBytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.write(scope, data); err != nil {
		klog.FromContext(ctx).V(2).Info("Chart archive not cached", "err", err)
	}
}

func (c *archiveCache) write(scope string, data []byte) error {
	if err := c.trim(int64(len(data))); err != nil {
		return err
	}
	file, err := os.CreateTemp(c.dir, "new-*")
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), c.path(scope, sha256Hex(data)))
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

// trim makes room, removing first what was not used for the longest time.
func (c *archiveCache) trim(room int64) error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	type cached struct {
		path string
		size int64
		used time.Time
	}
	var files []cached
	total := room
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		files = append(files, cached{filepath.Join(c.dir, e.Name()), info.Size(), info.ModTime()})
		total += info.Size()
	}
	slices.SortFunc(files, func(a, b cached) int { return a.used.Compare(b.used) })
	for _, f := range files {
		if total <= c.maxBytes {
			break
		}
		if err := os.Remove(f.path); err != nil && !os.IsNotExist(err) {
			return err
		}
		total -= f.size
	}
	return nil
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// isSHA256 tells whether s is a SHA-256 in lower-case hexadecimal, and so a
// safe file name.
func isSHA256(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}
