// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"errors"

	cliflag "k8s.io/component-base/cli/flag"
	basecompatibility "k8s.io/component-base/compatibility"
)

// APIServerCommand are the options of the process that serves the API only.
type APIServerCommand struct {
	API *APIServer
	// Outbound is for the subresources that ask a target.
	Outbound *Outbound
}

// NewAPIServerCommand returns the defaults.
func NewAPIServerCommand(registry basecompatibility.ComponentGlobalsRegistry) *APIServerCommand {
	return &APIServerCommand{API: NewAPIServer(registry), Outbound: NewOutbound()}
}

// AddFlags adds the flags, by group.
func (o *APIServerCommand) AddFlags(groups *cliflag.NamedFlagSets) {
	o.API.AddFlags(groups)
	o.Outbound.AddFlags(groups)
}

// Complete fills in what follows from other options.
func (o *APIServerCommand) Complete() error { return o.API.Complete() }

// Validate returns everything that is wrong with the options.
func (o *APIServerCommand) Validate() error {
	return errors.Join(o.API.Validate(), o.Outbound.Validate())
}
