// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Command pods is what runs in the containers of a real node that are not KSIT: a
// static program, because its image holds nothing else.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const usage = `usage:
  pods pause          wait for a signal, as what holds a pod together does
  pods serve          serve HTTP on port 8080
  pods echo WORD ...  print the words
  pods cat            print what is read`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	var err error
	switch os.Args[1] {
	case "pause":
		wait()
	case "serve":
		err = serve()
	case "echo":
		_, err = fmt.Println(strings.Join(os.Args[2:], " "))
	case "cat":
		_, err = io.Copy(os.Stdout, os.Stdin)
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pods:", err)
		os.Exit(1)
	}
}

// wait waits until it is told to end. It is the first process of its pod, so that
// nobody else would end it.
func wait() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	<-signals
}

// serve answers every request with the name of the pod, which is that of its host,
// and the path that was asked for.
func serve() error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
		fmt.Fprintf(w, "%s %s\n", name, r.URL.Path)
	})
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	fmt.Println("serving on", server.Addr)
	go func() {
		wait()
		_ = server.Close() // That is what makes ListenAndServe return.
	}()
	if err := <-ended; err != http.ErrServerClosed {
		return err
	}
	return nil
}
