// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ksit.io/ksit/pkg/cmd/options"
	"ksit.io/ksit/pkg/etcd/endpoint"
	"ksit.io/ksit/pkg/etcd/report"
	"ksit.io/ksit/pkg/etcd/snapshot"
)

const snapshotContent = "A snapshot holds everything that KSIT keeps: no kubeconfigs, which are Secrets of the host cluster, but the values of " +
	"charts, with whatever was written into them. Keep it as you would keep those."

func newEtcdCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "etcd",
		Short: "Saves, restores, moves and looks at what KSIT keeps",
		Long:  "Saves, restores, moves and looks at what KSIT keeps in etcd, be it the embedded one or one of its own processes.",
		Args:  cobra.NoArgs,
		// Without one, a wrong name of a command would be no error.
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(newEtcdSnapshotCommand(), newEtcdRestoreCommand(), newEtcdMigrateCommand(), newEtcdStatusCommand())
	return command
}

// checked are the options of a command that runs once and ends.
type checked interface {
	AddFlags(fs *pflag.FlagSet)
	Validate() error
}

// once gives a command its flags, and has it run with options that are valid. What
// it has to say goes to standard error, but for what was asked for.
func once(command *cobra.Command, o checked, run func(*cobra.Command) error) *cobra.Command {
	o.AddFlags(command.Flags())
	command.Args = cobra.NoArgs
	command.RunE = func(command *cobra.Command, _ []string) error {
		if err := o.Validate(); err != nil {
			return fmt.Errorf("invalid flags: %w", err)
		}
		return run(command)
	}
	return command
}

func newEtcdSnapshotCommand() *cobra.Command {
	o := options.NewEtcdSnapshot()
	return once(&cobra.Command{
		Use:   "snapshot",
		Short: "Writes a snapshot of etcd into a file",
		Long: "Writes a snapshot of etcd, as it is at one moment, into a file, or to standard output. An embedded etcd may run " +
			"meanwhile, or not. " + snapshotContent,
		Example: `  # Of KSIT in a pod, whose image has no shell
  kubectl exec -n ksit-system ksit-server-0 -- /ksit etcd snapshot --data-dir=/var/lib/ksit/data --to=- > ksit.db`,
	}, o, func(command *cobra.Command) error {
		return saveSnapshot(command, o)
	})
}

func saveSnapshot(command *cobra.Command, o *options.EtcdSnapshot) (err error) {
	ctx := command.Context()
	connection, err := connect(ctx, o.From, endpoint.Attach)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, connection.Close()) }()
	var saved snapshot.Saved
	if o.To == "-" {
		saved, err = snapshot.Save(ctx, connection.Client, command.OutOrStdout())
	} else {
		saved, err = snapshot.SaveFile(ctx, connection.Client, o.To, o.Overwrite)
	}
	if err != nil {
		return err
	}
	command.PrintErrf("Wrote a snapshot of %d bytes; its hash is right.\n", saved.Bytes)
	return nil
}

// connect reaches the etcd of the options, that of a data directory in the way
// given.
func connect(ctx context.Context, o *options.EtcdAccess, local func(context.Context, string) (*endpoint.Connection, error)) (*endpoint.Connection, error) {
	if !o.IsExternal() {
		return local(ctx, o.DataDir)
	}
	client, err := endpoint.Dial(ctx, o.External)
	if err != nil {
		return nil, err
	}
	return &endpoint.Connection{Client: client}, nil
}

func newEtcdRestoreCommand() *cobra.Command {
	o := &options.EtcdRestore{Bump: snapshot.DefaultRevisionBump}
	return once(&cobra.Command{
		Use:   "restore",
		Short: "Makes a data directory from a snapshot",
		Long: "Makes the embedded etcd of a data directory from a snapshot, whose hash is checked first. KSIT must not run on it, " +
			"and there must be no etcd in it yet. Revisions go on far after those of the snapshot, so that clients which saw what " +
			"came after it notice, and read everything anew. For an etcd of its own processes, see ksit etcd migrate --from-snapshot.",
	}, o, func(command *cobra.Command) error {
		info, err := snapshot.Restore(command.Context(), o.From, o.DataDir, o.Bump)
		if err != nil {
			return err
		}
		command.PrintErrf("Restored %d keys, as they were at revision %d, into %s.\n", info.Keys, info.Revision, o.DataDir)
		return nil
	})
}

func newEtcdStatusCommand() *cobra.Command {
	o := options.NewEtcdStatus()
	return once(&cobra.Command{
		Use:   "status",
		Short: "Says how etcd is, and how much KSIT keeps in it",
		Long:  "Says which members of etcd answer and which leads, how full they are, which alarms are on, and how many objects of each kind there are.",
	}, o, func(command *cobra.Command) (err error) {
		ctx := command.Context()
		connection, err := connect(ctx, o.Of, endpoint.Attach)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, connection.Close()) }()
		made, err := report.Make(ctx, connection.Client, o.Prefix)
		if err != nil {
			return err
		}
		if o.Output == "json" {
			encoder := json.NewEncoder(command.OutOrStdout())
			encoder.SetIndent("", "  ")
			return encoder.Encode(made)
		}
		return made.Print(command.OutOrStdout())
	})
}
