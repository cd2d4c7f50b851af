// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"fmt"

	"github.com/spf13/pflag"

	"ksit.io/ksit/pkg/etcd/endpoint"
)

// EtcdAccess says which etcd a command works on: that of a data directory, or one
// of several members.
type EtcdAccess struct {
	// DataDir holds the data of an embedded etcd.
	DataDir string
	// External is an etcd of its own processes.
	External endpoint.Options
	// role begins the names of the flags, such as "from-".
	role string
}

// NewEtcdAccess returns one whose flags begin with a role, which may be empty.
func NewEtcdAccess(role string) *EtcdAccess { return &EtcdAccess{role: role} }

// AddFlags adds the flags. What says which etcd is meant by them.
func (o *EtcdAccess) AddFlags(fs *pflag.FlagSet, what string) {
	fs.StringVar(&o.DataDir, o.role+"data-dir", o.DataDir,
		"Data directory of the embedded etcd "+what+", as --data-dir of ksit server names it.")
	fs.StringSliceVar(&o.External.Servers, o.role+"etcd-servers", o.External.Servers,
		"URLs of the members of an etcd "+what+", comma separated.")
	fs.StringVar(&o.External.CAFile, o.role+"etcd-cafile", o.External.CAFile,
		"File with the certificate authority of --"+o.role+"etcd-servers.")
	fs.StringVar(&o.External.CertFile, o.role+"etcd-certfile", o.External.CertFile,
		"File with the certificate to show to --"+o.role+"etcd-servers.")
	fs.StringVar(&o.External.KeyFile, o.role+"etcd-keyfile", o.External.KeyFile,
		"File with the key of --"+o.role+"etcd-certfile.")
}

// Given is whether an etcd was named.
func (o *EtcdAccess) Given() bool { return o.DataDir != "" || o.IsExternal() }

// IsExternal is whether the etcd has processes of its own.
func (o *EtcdAccess) IsExternal() bool { return len(o.External.Servers) > 0 }

// Validate returns everything that is wrong with the options.
func (o *EtcdAccess) Validate() error {
	switch {
	case o.DataDir != "" && o.IsExternal():
		return fmt.Errorf("--%[1]sdata-dir and --%[1]setcd-servers exclude each other", o.role)
	case !o.Given():
		return fmt.Errorf("--%[1]sdata-dir or --%[1]setcd-servers must be given", o.role)
	}
	if err := o.External.Validate(); err != nil {
		return fmt.Errorf("--%setcd-servers: %w", o.role, err)
	}
	return nil
}
