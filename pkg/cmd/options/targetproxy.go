// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"
)

// TargetProxy are the options of the subresource integrationtargets/proxy.
type TargetProxy struct {
	// PerTarget is how many requests are passed on to one target at once, watches
	// and sessions included, and PerUser how many of them are one user's.
	PerTarget, PerUser int
}

// NewTargetProxy returns the defaults. A client that watches everything has a
// watch for each resource of the target, which may be some hundred.
func NewTargetProxy() *TargetProxy {
	return &TargetProxy{PerTarget: 1000, PerUser: 300}
}

// AddFlags adds the flags.
func (o *TargetProxy) AddFlags(fs *pflag.FlagSet) {
	fs.IntVar(&o.PerTarget, "target-proxy-requests", o.PerTarget,
		"How many requests of users are passed on to the API of one target at once (integrationtargets/proxy), watches and sessions "+
			"included. They are not among those of --max-requests-inflight and --target-qps.")
	fs.IntVar(&o.PerUser, "target-proxy-user-requests", o.PerUser,
		"How many of --target-proxy-requests one user may have at once.")
}

// Validate returns everything that is wrong with the options.
func (o *TargetProxy) Validate() error {
	var errs []error
	if o.PerTarget < 1 {
		errs = append(errs, fmt.Errorf("--target-proxy-requests is %d, it must be at least 1", o.PerTarget))
	}
	if o.PerUser < 1 {
		errs = append(errs, fmt.Errorf("--target-proxy-user-requests is %d, it must be at least 1", o.PerUser))
	}
	return errors.Join(errs...)
}
