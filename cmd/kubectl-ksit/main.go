// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Command kubectl-ksit is a plug-in of kubectl: kubectl ksit.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"ksit.io/ksit/pkg/kubectl/cmd"
)

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second interrupt ends the process at once.
	context.AfterFunc(ctx, stop)
	return cmd.Run(ctx, cmd.Streams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}, os.Args[1:])
}
