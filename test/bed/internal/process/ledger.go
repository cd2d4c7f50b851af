// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Ledger is a file with a line for every process that a bed started. A process
// id alone may since belong to another program, so a line also holds when the
// process began.
type Ledger struct {
	mu   sync.Mutex
	path string
}

// NewLedger returns the ledger kept in the file at path.
func NewLedger(path string) *Ledger {
	return &Ledger{path: path}
}

func (l *Ledger) add(name string, pid int) error {
	begin, err := beginOf(pid)
	if err != nil {
		return nil // It has already ended, so that there is nothing to find later.
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%d\t%s\t%s\n", pid, begin, name)
	return errors.Join(err, f.Close())
}

// Entry is one process of a ledger.
type Entry struct {
	Name string
	Pid  int
	// begin identifies the process together with Pid.
	begin string
}

// Alive lists the processes of the ledger that still run. A ledger that does
// not exist has none.
func (l *Ledger) Alive() ([]Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var alive []Entry
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.SplitN(lines.Text(), "\t", 3)
		if len(fields) != 3 {
			continue // A line cut short by the death of its writer.
		}
		pid, err := strconv.Atoi(fields[0])
		if err != nil || pid <= 1 {
			continue
		}
		entry := Entry{Name: fields[2], Pid: pid, begin: fields[1]}
		if entry.alive() {
			alive = append(alive, entry)
		}
	}
	return alive, lines.Err()
}

func (e Entry) alive() bool {
	begin, err := beginOf(e.Pid)
	return err == nil && begin == e.begin
}

// KillAll kills every process of the ledger that still runs, waits until they
// are gone, and returns their names.
func (l *Ledger) KillAll(timeout time.Duration) ([]string, error) {
	alive, err := l.Alive()
	if err != nil {
		return nil, fmt.Errorf("reading the list of processes: %w", err)
	}
	var names []string
	for _, entry := range alive {
		if err := syscall.Kill(entry.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return names, fmt.Errorf("killing %s, process %d: %w", entry.Name, entry.Pid, err)
		}
		names = append(names, entry.Name)
	}
	deadline := time.Now().Add(timeout)
	for _, entry := range alive {
		for entry.alive() {
			if time.Now().After(deadline) {
				return names, fmt.Errorf("%s, process %d, is still there after SIGKILL", entry.Name, entry.Pid)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return names, nil
}

// Self identifies this process in a way that Owner can check later.
func Self() (Identity, error) {
	begin, err := beginOf(os.Getpid())
	return Identity{Pid: os.Getpid(), Begin: begin}, err
}

// Identity is a process id that cannot be confused with a later process.
type Identity struct {
	Pid   int    `json:"pid"`
	Begin string `json:"begin"`
}

// Alive reports whether that very process still runs.
func (i Identity) Alive() bool {
	return Entry{Pid: i.Pid, begin: i.Begin}.alive()
}

// Signal sends a signal to the process if it still runs.
func (i Identity) Signal(sig syscall.Signal) error {
	if !i.Alive() {
		return nil
	}
	if err := syscall.Kill(i.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}
