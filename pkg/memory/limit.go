// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package memory tells the runtime of Go what a container may use. The runtime
// asks for the processors of its cgroup by itself, but not for the memory: it would
// let garbage pile up to twice what lives, past the limit, and the kernel would
// kill the process over what nobody needs any more.
package memory

import (
	"bytes"
	"io/fs"
	"math"
	"os"
	"runtime/debug"
	"strconv"
)

// Variable is the environment variable by which an operator sets the limit
// himself.
const Variable = "GOMEMLIMIT"

// files hold the limit of the cgroup that a container sees as its root, in
// version 2 and version 1, below /sys/fs/cgroup.
var files = []string{"memory.max", "memory/memory.limit_in_bytes"}

// share of a cgroup's memory that is the process's own, in quarters. The rest is
// for the processes that render charts, for what the kernel keeps for sockets and
// files, and for pages of the program.
const share = 3

// Limit sets the limit of the runtime by that of the cgroup, of which the file
// system is given, and returns it; 0 where there is none, or where the
// environment says another.
func Limit(cgroup fs.FS) int64 {
	if os.Getenv(Variable) != "" {
		return 0
	}
	for _, name := range files {
		if limit := read(cgroup, name); limit > 0 {
			limit = limit / 4 * share
			debug.SetMemoryLimit(limit)
			return limit
		}
	}
	return 0
}

// read returns what a file says, or 0 where there is no limit. Version 1 has a
// number near the largest for none.
func read(cgroup fs.FS, name string) int64 {
	data, err := fs.ReadFile(cgroup, name)
	if err != nil {
		return 0
	}
	limit, err := strconv.ParseInt(string(bytes.TrimSpace(data)), 10, 64)
	if err != nil || limit >= math.MaxInt64/2 {
		return 0
	}
	return limit
}
