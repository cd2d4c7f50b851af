// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tunnel is what an HTTP proxy does for a client that wants TLS from end to
// end.
package tunnel

import (
	"io"
	"net"
	"net/http"
)

// Connect answers a CONNECT request: it moves bytes between the client and an
// address until one of them ends.
func Connect(w http.ResponseWriter, address string) {
	there, err := net.Dial("tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = there.Close() }()
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = here.Close() }()
	if _, err := io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(there, here)
		_ = there.Close()
	}()
	_, _ = io.Copy(here, there)
}
