// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"

	"github.com/spf13/cobra"
)

// NewCommand returns the command kubectl-ksit with its subcommands. They run
// until the context of the command is done.
func NewCommand(streams Streams) *cobra.Command {
	return newSession(streams).root()
}

func (s *session) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-ksit",
		Short: "Look at and act on what KSIT runs on many clusters",
		Long: "Looks at and acts on what KSIT runs on many clusters: which Integration is where and how it is, what a change " +
			"would do, what was done, and how to undo it on one cluster.",
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl ksit"},
		Args:        cobra.NoArgs,
		// main prints errors, as kubectl does.
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.ErrOut)
	s.flags.AddFlags(root.PersistentFlags())
	s.addColour(root)
	arrange(root, map[string][]*cobra.Command{
		groupLook:    {s.statusCommand(), s.healthCommand(), s.historyCommand(), s.manifestCommand(), s.logsCommand()},
		groupChange:  {s.diffCommand(), s.applyCommand(), s.rollbackCommand(), s.reconcileCommand()},
		groupCluster: {s.targetsCommand(), s.kubeconfigCommand(), s.proxyCommand()},
	})
	root.AddCommand(s.versionCommand())
	s.completeFlags(root)
	return root
}

// Run runs the command with arguments and returns the exit code. Errors are
// printed as kubectl prints them.
func Run(ctx context.Context, streams Streams, args []string) int {
	return newSession(streams).run(ctx, args)
}

func (s *session) run(ctx context.Context, args []string) int {
	root := s.root()
	root.SetArgs(args)
	return s.fail(root.ExecuteContext(ctx))
}
