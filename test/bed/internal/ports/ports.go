// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ports hands out TCP ports of the loopback address to beds that run
// at the same time on one machine.
//
// Asking the kernel for a free port and closing it again is not enough: until
// the server that shall have it listens, and again while that server is down
// between a kill and a restart, the kernel may give it to someone else, most
// likely as the local end of one of the thousands of connections that a bed
// makes. So the ports here lie below the ranges that the kernels take such ends
// from, and a lock file keeps other beds away for as long as the bed lives.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

const (
	// first and last bound the ports handed out. Linux takes ephemeral ports
	// from 32768 up, macOS from 49152 up, and NodePorts begin at 30000.
	first, last = 20000, 29951
	blockSize   = 64
)

// Range hands out ports that no other Range on this machine hands out.
type Range struct {
	mu    sync.Mutex
	dir   string
	locks []*os.File
	next  int
	end   int
	// number is that of the first block.
	number int
}

// NewRange returns an empty Range; ports are taken as they are asked for.
func NewRange() (*Range, error) {
	// Shared by all beds of this user wherever they keep their data.
	dir := filepath.Join(os.TempDir(), "ksit-bed-ports-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of port locks: %w", err)
	}
	return &Range{dir: dir}, nil
}

// Take returns a port on which nobody listens. It stays reserved until Close.
func (r *Range) Take() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		for ; r.next < r.end; r.next++ {
			if free(r.next) {
				r.next++
				return r.next - 1, nil
			}
		}
		if err := r.takeBlock(); err != nil {
			return 0, err
		}
	}
}

// Number is a number from 0 to 154 that no other Range on this machine has as long
// as this one lives, for what is told apart by other things than ports.
func (r *Range) Number() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.locks) == 0 {
		if err := r.takeBlock(); err != nil {
			return 0, err
		}
	}
	return r.number, nil
}

func (r *Range) takeBlock() error {
	const blocks = (last - first + 1) / blockSize
	start := rand.IntN(blocks)
	for i := range blocks {
		port := first + (start+i)%blocks*blockSize
		f, err := os.OpenFile(filepath.Join(r.dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return fmt.Errorf("opening a port lock: %w", err)
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			if len(r.locks) == 0 {
				r.number = (port - first) / blockSize
			}
			r.locks = append(r.locks, f)
			r.next, r.end = port, port+blockSize
			return nil
		}
		_ = f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("locking port %d: %w", port, err)
		}
	}
	return fmt.Errorf("all ports from %d to %d are taken by running beds", first, last)
}

// Close gives the ports back. The kernel does the same when the process dies.
func (r *Range) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, f := range r.locks {
		errs = append(errs, f.Close())
	}
	r.locks, r.next, r.end = nil, 0, 0
	return errors.Join(errs...)
}

func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
