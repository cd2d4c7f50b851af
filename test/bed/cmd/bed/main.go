// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bed brings up what KSIT needs around it on one machine: a host
// cluster, clusters to install on, and a server of charts.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	klog.LogToStderr(true)
	if err := newRoot().ExecuteContext(ctx); err != nil {
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		fmt.Fprintln(os.Stderr, "bed:", err)
		os.Exit(1)
	}
}

// common are the flags that say which bed is meant.
type common struct {
	name, dir string
}

func newRoot() *cobra.Command {
	var c common
	root := &cobra.Command{
		Use:           "bed",
		Short:         "A host cluster, target clusters and charts for KSIT, on this machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&c.name, "name", "default", "The name of the bed. Beds of different names do not touch each other.")
	root.PersistentFlags().StringVar(&c.dir, "dir", "", "The directory of the built tools and of each bed's data and logs (default ksit-bed in the user's cache directory).")
	root.AddCommand(
		newBuild(&c),
		newUp(&c),
		newSupervise(&c),
		newRun(&c),
		newDown(&c),
		newStatus(&c),
		newKubeconfig(&c),
	)
	return root
}
