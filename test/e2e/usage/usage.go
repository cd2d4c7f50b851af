// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package usage reads what a process uses, on Linux.
package usage

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process uses, or has used until now.
type Usage struct {
	// CPU is that of the process, and of those children that have ended.
	CPU time.Duration
	// In MB: resident memory, the part of it that is not the program's own
	// file, and the most that was ever resident.
	Resident, Anonymous, Peak float64
}

// clockTick is the unit of times in /proc, the same on all Linux platforms that
// Go runs on.
const clockTick = 10 * time.Millisecond

// Of reads what a process uses.
func Of(pid int) (Usage, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return Usage{}, fmt.Errorf("reading what process %d uses: %w", pid, err)
	}
	// After the name, which is in parentheses, comes field 3; user and system
	// time are 14 and 15, those of children 16 and 17.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var used Usage
	for _, field := range fields[11:15] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return Usage{}, fmt.Errorf("reading the times of process %d: %w", pid, err)
		}
		used.CPU += time.Duration(ticks) * clockTick
	}
	file, err := os.Open(filepath.Join(dir, "status"))
	if err != nil {
		return Usage{}, fmt.Errorf("reading the memory of process %d: %w", pid, err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var name string
		var kilobytes float64
		if _, err := fmt.Sscanf(lines.Text(), "%s %f kB", &name, &kilobytes); err != nil {
			continue
		}
		switch name {
		case "VmRSS:":
			used.Resident = kilobytes * 1024 / 1e6
		case "RssAnon:":
			used.Anonymous = kilobytes * 1024 / 1e6
		case "VmHWM:":
			used.Peak = kilobytes * 1024 / 1e6
		}
	}
	return used, lines.Err()
}
