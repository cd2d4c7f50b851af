// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// private are the directories of the machine that the programs of a node write
// to whatever they are told. The node has its own in their place.
var private = []string{"/run", "/var/lib/cni", "/var/lib/kubelet", "/var/lib/containerd", "/var/log/containers", "/var/log/pods"}

// beInit is the first process of a node: all others are in its namespaces of
// processes, mounts and network. When it is killed the kernel kills them too, and
// takes away what they mounted, their bridge and their packet filter. It reaps
// what has lost its parent, such as containerd's shims, and never returns unless
// it cannot begin.
func beInit(dir string) error {
	if os.Getpid() != 1 {
		return errors.New("this must be the first process of a new namespace")
	}
	// Nothing that is mounted here may reach the machine. What is mounted on the
	// machine later is of no interest.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	for _, path := range private {
		own := filepath.Join(dir, filepath.FromSlash(path))
		for _, d := range []string{own, path} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
		}
		if err := unix.Mount(own, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting the node's own %s: %w", path, err)
		}
		// Volumes that the kubelet mounts shall be seen by containers that ask
		// for propagation.
		if err := unix.Mount("", path, "", unix.MS_SHARED, ""); err != nil {
			return fmt.Errorf("sharing mounts below %s: %w", path, err)
		}
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting the node's own /proc: %w", err)
	}
	// This says that the node is ready to be entered.
	if err := os.WriteFile(filepath.Join(dir, "ready"), nil, 0o600); err != nil {
		return err
	}
	signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	for range children {
		reap()
	}
	return nil
}

func reap() {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
	}
}
