// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cmd holds the commands of the binary ksit. Each reads its options,
// puts packages together and runs them until its context is done.
package cmd

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/cli/globalflag"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	_ "k8s.io/component-base/logs/json/register" // --logging-format=json
	"k8s.io/component-base/term"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/memory"
	"ksit.io/ksit/pkg/version"
)

// maxVerbosity is the highest verbosity at which no library logs the content of
// Secrets that are read.
const maxVerbosity = 7

// NewCommand returns the command ksit with its subcommands. They run until the
// context of the command is done.
func NewCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "ksit",
		Short: "Installs and watches over integrations on many Kubernetes clusters",
		Long: "KSIT installs Argo CD, Prometheus, Istio, Flux and any other chart on many Kubernetes clusters, " +
			"watches over them and repairs them. It is driven through the API group ksit.io of a host cluster.",
		Args: cobra.NoArgs,
	}
	root.AddCommand(newServerCommand(), newAPIServerCommand(), newControllerManagerCommand(), newCheckCommand(), newEtcdCommand(), newRenderCommand(), newVersionCommand())
	return root
}

// flagged are options with flags.
type flagged interface {
	AddFlags(groups *cliflag.NamedFlagSets)
	Complete() error
	Validate() error
}

// withOptions gives a command its flags, in groups, and has it run with options
// that are complete and valid.
func withOptions(command *cobra.Command, options flagged, run func(context.Context) error) *cobra.Command {
	logging := logsapi.NewLoggingConfiguration()
	groups := cliflag.NamedFlagSets{}
	options.AddFlags(&groups)
	logsapi.AddFlags(logging, groups.FlagSet("logs"))
	globalflag.AddGlobalFlags(groups.FlagSet("global"), command.Name(), logs.SkipLoggingConfigurationFlags())
	for _, name := range groups.Order {
		command.Flags().AddFlagSet(groups.FlagSets[name])
	}
	width, _, _ := term.TerminalSize(command.OutOrStdout())
	cliflag.SetUsageAndHelpFunc(command, groups, width)

	command.Args = cobra.NoArgs
	command.RunE = func(command *cobra.Command, _ []string) error {
		if err := options.Complete(); err != nil {
			return err
		}
		if logging.Verbosity > maxVerbosity {
			return fmt.Errorf("--v is %d, it must be at most %d: above that, the client libraries log what requests and answers hold, Secrets among them", logging.Verbosity, maxVerbosity)
		}
		// No gate: the experiments of the logging library stay as they are.
		if err := logsapi.ValidateAndApply(logging, nil); err != nil {
			return fmt.Errorf("setting up logs: %w", err)
		}
		if err := options.Validate(); err != nil {
			return fmt.Errorf("invalid flags: %w", err)
		}
		if limit := memory.Limit(os.DirFS("/sys/fs/cgroup")); limit > 0 {
			klog.FromContext(command.Context()).V(1).Info("Memory is limited as the cgroup is", "limit", limit)
		}
		klog.FromContext(command.Context()).Info("Starting", "command", command.CommandPath(), "version", version.Get().String())
		cliflag.PrintFlags(command.Flags())
		return run(command.Context())
	}
	return command
}
