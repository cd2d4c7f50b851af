// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"ksit.io/ksit/pkg/cmd/options"
	"ksit.io/ksit/pkg/etcd/endpoint"
	"ksit.io/ksit/pkg/etcd/migrate"
	"ksit.io/ksit/pkg/etcd/snapshot"
)

func newEtcdMigrateCommand() *cobra.Command {
	o := options.NewEtcdMigrate()
	return once(&cobra.Command{
		Use:   "migrate",
		Short: "Copies what KSIT keeps from one etcd to another",
		Long: "Copies what KSIT keeps from the embedded etcd to one of its own processes, or back, or from a snapshot to either, and " +
			"compares both afterwards. Stop every KSIT on either of them first. The source is left as it is, and is the way back. " +
			"Keys and values are copied as they are: what is encrypted needs the same --encryption-provider-config as before. " +
			"One that was ended in the middle is begun anew by the same command.",
		Example: `  ksit etcd migrate --from-data-dir=/var/lib/ksit/data --to-etcd-servers=https://etcd-0:2379,https://etcd-1:2379,https://etcd-2:2379 \
    --to-etcd-cafile=ca.crt --to-etcd-certfile=tls.crt --to-etcd-keyfile=tls.key`,
	}, o, func(command *cobra.Command) error {
		return runMigrate(command, o)
	})
}

func runMigrate(command *cobra.Command, o *options.EtcdMigrate) (err error) {
	ctx := command.Context()
	from, err := source(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	what := migrate.Options{From: from.Client, Prefix: o.Prefix, Overwrite: o.Overwrite, Margin: o.Margin}
	result, err := copyTo(command, o.To, what)
	if err != nil {
		return err
	}
	for _, resource := range slices.Sorted(maps.Keys(result.Resources)) {
		digest := result.Resources[resource]
		command.PrintErrf("Copied %s: %d, of %d bytes.\n", resource, digest.Keys, digest.Bytes)
	}
	command.PrintErrf("Copied %d keys; both have the same hash. The source is at revision %d, the copy at %d.\n",
		result.Keys(), result.FromRevision, result.ToRevision)
	return nil
}

func copyTo(command *cobra.Command, to *options.EtcdAccess, what migrate.Options) (_ migrate.Result, err error) {
	ctx := command.Context()
	if !to.IsExternal() {
		result, kept, err := migrate.IntoDataDir(ctx, to.DataDir, what)
		if err == nil && kept != "" {
			command.PrintErrf("What was in the data directory is kept in %s; remove it when it is needed no more.\n", kept)
		}
		return result, err
	}
	client, err := endpoint.Dial(ctx, to.External)
	if err != nil {
		return migrate.Result{}, fmt.Errorf("the destination: %w", err)
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	what.To = client
	return migrate.Run(ctx, what)
}

// opened is a source, with what is removed after it.
type opened struct {
	*endpoint.Connection
	temporary string
}

// Close ends it.
func (o *opened) Close() error {
	err := o.Connection.Close()
	if o.temporary != "" {
		err = errors.Join(err, os.RemoveAll(o.temporary))
	}
	return err
}

// source opens what is copied from. A snapshot becomes an etcd for as long as it
// takes, in the temporary directory.
func source(ctx context.Context, o *options.EtcdMigrate) (*opened, error) {
	if o.Snapshot == "" {
		// Nobody else may have a data directory: what was written meanwhile would be lost.
		connection, err := connect(ctx, o.From, endpoint.Own)
		if err != nil {
			return nil, fmt.Errorf("the source: %w", err)
		}
		return &opened{Connection: connection}, nil
	}
	temporary, err := os.MkdirTemp("", "ksit-etcd-migrate-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for the snapshot: %w", err)
	}
	dir := filepath.Join(temporary, "data")
	_, err = snapshot.Restore(ctx, o.Snapshot, dir, 0)
	if err == nil {
		var connection *endpoint.Connection
		if connection, err = endpoint.Own(ctx, dir); err == nil {
			return &opened{Connection: connection, temporary: temporary}, nil
		}
	}
	return nil, errors.Join(err, os.RemoveAll(temporary))
}
