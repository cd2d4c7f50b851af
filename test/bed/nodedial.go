// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"errors"
	"net"
)

// Dial connects from within the node, where the addresses of Services lead to their
// pods by the rules of kube-proxy. It is for HTTP clients and wants an IP address.
func (n *Node) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	pid := n.init.Pid()
	if pid == 0 {
		return nil, errors.New("the node does not run")
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, err := dialFrom(ctx, pid, network, address)
		done <- result{conn, err}
	}()
	r := <-done // The dial ends with ctx.
	return r.conn, r.err
}
