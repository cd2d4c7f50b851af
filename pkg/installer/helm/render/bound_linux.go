// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// reservedBytes is what the runtime reserves of addresses, most of which it
	// never uses.
	reservedBytes = 4 << 30
	// maxFiles leaves room for the pipes and for what the runtime opens.
	maxFiles = 32
)

// thisProgram is the one that runs, also where its file was replaced since.
func thisProgram() (string, error) { return "/proc/self/exe", nil }

// bound sets the limits of the kernel, which nothing here can raise again: each
// is the hard one too. Memory is counted where it can be written; addresses have
// a wider bound, as the runtime reserves more than it uses.
func bound(bounds limits) error {
	for _, limit := range []struct {
		name     string
		resource int
		max      uint64
	}{
		{"memory", unix.RLIMIT_DATA, bounds.MemoryBytes},
		{"addresses", unix.RLIMIT_AS, bounds.MemoryBytes + reservedBytes},
		{"processor time", unix.RLIMIT_CPU, bounds.CPUSeconds},
		{"files written", unix.RLIMIT_FSIZE, 0},
		{"open files", unix.RLIMIT_NOFILE, maxFiles},
		{"core dumps", unix.RLIMIT_CORE, 0},
	} {
		if err := unix.Setrlimit(limit.resource, &unix.Rlimit{Cur: limit.max, Max: limit.max}); err != nil {
			return fmt.Errorf("the limit of %s: %w", limit.name, err)
		}
	}
	return nil
}
