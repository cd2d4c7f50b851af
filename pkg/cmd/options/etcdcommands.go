// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"
)

// addPrefixFlag adds the flag for where keys begin.
func addPrefixFlag(fs *pflag.FlagSet, prefix *string) {
	*prefix = DefaultStoragePrefix
	fs.StringVar(prefix, "etcd-prefix", *prefix, "Where in etcd all keys begin, as --etcd-prefix of the server names it.")
}

// EtcdSnapshot are the options of the command that takes a snapshot.
type EtcdSnapshot struct {
	From *EtcdAccess
	// To is a file; - is standard output.
	To string
	// Overwrite lets a file be replaced.
	Overwrite bool
}

// NewEtcdSnapshot returns the defaults.
func NewEtcdSnapshot() *EtcdSnapshot { return &EtcdSnapshot{From: NewEtcdAccess("")} }

// AddFlags adds the flags.
func (o *EtcdSnapshot) AddFlags(fs *pflag.FlagSet) {
	o.From.AddFlags(fs, "to take a snapshot of")
	fs.StringVar(&o.To, "to", o.To, "File to write, with mode 0600; - for standard output.")
	fs.BoolVar(&o.Overwrite, "overwrite", o.Overwrite, "Replace the file if there is one.")
}

// Validate returns everything that is wrong with the options.
func (o *EtcdSnapshot) Validate() error {
	err := o.From.Validate()
	if o.To == "" {
		err = errors.Join(err, errors.New("--to must be given: a file, or - for standard output"))
	}
	return err
}

// EtcdRestore are the options of the command that restores a snapshot.
type EtcdRestore struct {
	// From is the file.
	From string
	// DataDir is made from it.
	DataDir string
	// Bump is by how much revisions go up.
	Bump uint64
}

// AddFlags adds the flags.
func (o *EtcdRestore) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.From, "from", o.From, "File with the snapshot.")
	fs.StringVar(&o.DataDir, "data-dir", o.DataDir, "Data directory for ksit server to be made. There must be no etcd in it.")
	fs.Uint64Var(&o.Bump, "revision-bump", o.Bump,
		"How many revisions are left out after those of the snapshot, at least as many as there were writes since. 0 only where no client has seen any.")
}

// Validate returns everything that is wrong with the options.
func (o *EtcdRestore) Validate() error {
	var errs []error
	if o.From == "" {
		errs = append(errs, errors.New("--from must be given"))
	}
	if o.DataDir == "" {
		errs = append(errs, errors.New("--data-dir must be given; for an etcd of its own processes use ksit etcd migrate --from-snapshot"))
	}
	return errors.Join(errs...)
}

// EtcdMigrate are the options of the command that copies from one etcd to another.
type EtcdMigrate struct {
	From, To *EtcdAccess
	// Snapshot is a file to copy from instead.
	Snapshot string
	// Prefix is where keys begin, in both.
	Prefix string
	// Overwrite lets what is in the destination be replaced.
	Overwrite bool
	// Margin is how far past the source's revision the copy begins.
	Margin int64
}

// NewEtcdMigrate returns the defaults.
func NewEtcdMigrate() *EtcdMigrate {
	return &EtcdMigrate{From: NewEtcdAccess("from-"), To: NewEtcdAccess("to-"), Margin: 10_000}
}

// AddFlags adds the flags.
func (o *EtcdMigrate) AddFlags(fs *pflag.FlagSet) {
	o.From.AddFlags(fs, "to copy from")
	fs.StringVar(&o.Snapshot, "from-snapshot", o.Snapshot, "File with a snapshot to copy from.")
	o.To.AddFlags(fs, "to copy to")
	addPrefixFlag(fs, &o.Prefix)
	fs.BoolVar(&o.Overwrite, "overwrite", o.Overwrite, "Replace what KSIT keeps in the destination already.")
	fs.Int64Var(&o.Margin, "revision-margin", o.Margin,
		"How far past the last revision of the source the copy begins: for a snapshot, at least as many as there were writes since.")
}

// Validate returns everything that is wrong with the options.
func (o *EtcdMigrate) Validate() error {
	var errs []error
	switch {
	case o.Snapshot == "":
		errs = append(errs, o.From.Validate())
	case o.From.Given():
		errs = append(errs, errors.New("--from-snapshot excludes --from-data-dir and --from-etcd-servers"))
	}
	errs = append(errs, o.To.Validate())
	if o.Margin < 0 {
		errs = append(errs, errors.New("--revision-margin must not be negative"))
	}
	return errors.Join(errs...)
}

// EtcdStatus are the options of the command that tells how an etcd is.
type EtcdStatus struct {
	Of     *EtcdAccess
	Prefix string
	// Output is empty for a table, or json.
	Output string
}

// NewEtcdStatus returns the defaults.
func NewEtcdStatus() *EtcdStatus { return &EtcdStatus{Of: NewEtcdAccess("")} }

// AddFlags adds the flags.
func (o *EtcdStatus) AddFlags(fs *pflag.FlagSet) {
	o.Of.AddFlags(fs, "to look at")
	addPrefixFlag(fs, &o.Prefix)
	fs.StringVarP(&o.Output, "output", "o", o.Output, "Empty for a table, or json.")
}

// Validate returns everything that is wrong with the options.
func (o *EtcdStatus) Validate() error {
	err := o.Of.Validate()
	if o.Output != "" && o.Output != "json" {
		err = errors.Join(err, fmt.Errorf("--output is %q, it must be empty or json", o.Output))
	}
	return err
}
