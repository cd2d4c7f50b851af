// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ksit.io/ksit/test/bed"
)

func newDown(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop a bed and remove its data",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := bed.Down(cmd.Context(), c.dir, c.name)
			if errors.Is(err, bed.ErrNotRunning) {
				fmt.Fprintf(cmd.OutOrStdout(), "No bed named %s is running.\n", c.name)
				return nil
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The bed %s is stopped.\n", c.name)
			return nil
		},
	}
}

func newStatus(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the running beds",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			states, err := bed.List(c.dir)
			if err != nil {
				return err
			}
			if len(states) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "No bed is running.")
			}
			for _, state := range states {
				if !state.Ready {
					fmt.Fprintf(cmd.OutOrStdout(), "The bed %s is coming up.\n", state.Name)
					continue
				}
				printState(cmd.OutOrStdout(), state)
			}
			return nil
		},
	}
}

func newKubeconfig(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig CLUSTER",
		Short: "Print the path of an administrator's kubeconfig for host, production-cluster-1, …",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			state, err := bed.Find(c.dir, c.name)
			if err != nil {
				return fmt.Errorf("bed %s: %w", c.name, err)
			}
			i := slices.IndexFunc(state.Clusters, func(cluster bed.ClusterState) bool { return cluster.Name == args[0] })
			if i < 0 {
				var names []string
				for _, cluster := range state.Clusters {
					names = append(names, cluster.Name)
				}
				return fmt.Errorf("the bed %s has no cluster %s, it has %s", c.name, args[0], strings.Join(names, ", "))
			}
			fmt.Fprintln(cmd.OutOrStdout(), state.Clusters[i].Kubeconfig)
			return nil
		},
	}
}
