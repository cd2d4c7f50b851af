// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// dialFrom connects from the network of a process. It must run in a goroutine of its
// own: networks belong to threads, a socket to that of the thread which makes it, and
// the thread ends with the goroutine, so that nobody else finds himself there.
func dialFrom(ctx context.Context, pid int, network, address string) (net.Conn, error) {
	runtime.LockOSThread()
	space, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, fmt.Errorf("finding the network of the node: %w", err)
	}
	defer func() { _ = space.Close() }()
	if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("entering the network of the node: %w", err)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}
