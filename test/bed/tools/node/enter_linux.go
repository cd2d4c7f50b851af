// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// enter runs a program in the namespaces of the process, hands on to it the
// signals that ask it to end, and returns with its exit code. The program does not
// outlive this process, however that ends.
func enter(pid, program string, args []string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	// Namespaces belong to a thread, and what a thread forks begins in them. The
	// thread must also stay, because the program dies with it.
	runtime.LockOSThread()
	spaces := []struct {
		name string
		kind int
	}{{"net", unix.CLONE_NEWNET}, {"pid", unix.CLONE_NEWPID}, {"mnt", unix.CLONE_NEWNS}}
	var files []*os.File
	for _, space := range spaces {
		// All are opened first: the last one has another /proc.
		file, err := os.Open(filepath.Join("/proc", pid, "ns", space.name))
		if err != nil {
			return 1, fmt.Errorf("finding the node: %w", err)
		}
		defer func() { _ = file.Close() }()
		files = append(files, file)
	}
	// Threads of a process share a working directory, and only one that does not
	// may change what the tree of files is.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return 1, fmt.Errorf("leaving the other threads: %w", err)
	}
	for i, space := range spaces {
		if err := unix.Setns(int(files[i].Fd()), space.kind); err != nil {
			return 1, fmt.Errorf("entering the %s namespace of the node: %w", space.name, err)
		}
	}
	// By way of become, because what Go does for a child that shall die with its
	// parent takes a parent in another namespace for dead.
	cmd := exec.Command(self, append([]string{"become", program}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s) // Fails only if it has just ended.
		}
	}()
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		// One that a signal has ended has no code of its own.
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

// become turns this process, which enter has started in a node, into a program that
// the kernel kills when its parent ends.
func become(program string, args []string) error {
	// The promise is made to a thread, and stays with it when it becomes all of the
	// program.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("tying %s to its parent: %w", program, err)
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return err
	}
	return fmt.Errorf("running %s: %w", path, syscall.Exec(path, append([]string{filepath.Base(program)}, args...), os.Environ()))
}
