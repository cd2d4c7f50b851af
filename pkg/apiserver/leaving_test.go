// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"
)

func TestClientsAreSentAwayBeforeTheServerStops(t *testing.T) {
	stopping, finish := make(chan struct{}), make(chan struct{})
	server := httptest.NewUnstartedServer(withSendingAway(withWatchesEnding(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "a")
		if r.URL.Path != "/" {
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-finish:
				_, _ = io.WriteString(w, "b")
			}
		}
	}), func(r *http.Request) bool { return r.URL.Path == "/watch" }, stopping), stopping))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()

	// request returns the answer, and whether it came by a connection that was there.
	request := func(path string) (response *http.Response, reused bool) {
		t.Helper()
		trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }}
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err = server.Client().Do(r); err != nil {
			t.Fatal(err)
		}
		if response.ProtoMajor != 2 {
			t.Fatalf("the answer came by %s", response.Proto)
		}
		return response, reused
	}
	read := func(response *http.Response, want string) {
		t.Helper()
		defer func() { _ = response.Body.Close() }()
		if body, err := io.ReadAll(response.Body); err != nil || string(body) != want {
			t.Errorf("the answer is %q (%v), and should be %q", body, err, want)
		}
	}

	long, _ := request("/long")
	watch, _ := request("/watch")
	response, reused := request("/")
	read(response, "a")
	if !reused {
		t.Error("a connection is not used again before the server stops")
	}
	close(stopping)
	// A watch ends in order, so that its client comes again and is told.
	read(watch, "a")
	response, reused = request("/")
	read(response, "a")
	if !reused {
		t.Error("the first request after that has no way to know of it")
	}
	response, reused = request("/")
	read(response, "a")
	if reused {
		t.Error("a client goes on to use a connection to a server that stops")
	}
	close(finish)
	read(long, "ab")
}
