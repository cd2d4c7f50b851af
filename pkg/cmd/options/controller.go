// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"errors"
	"fmt"
	"time"

	cliflag "k8s.io/component-base/cli/flag"
)

// Controllers are the options of the controllers, wherever they run.
type Controllers struct {
	// Workers is how many Installations are worked on at once.
	Workers int
	// SummaryInterval is the time between two lines of the log that say how all
	// Installations are.
	SummaryInterval time.Duration
	// Outbound is how targets and sources are reached.
	Outbound *Outbound
}

// NewControllers returns the defaults.
func NewControllers() *Controllers {
	return &Controllers{
		Workers:         10,
		SummaryInterval: 5 * time.Minute,
		Outbound:        NewOutbound(),
	}
}

// AddFlags adds the flags.
func (o *Controllers) AddFlags(groups *cliflag.NamedFlagSets) {
	fs := groups.FlagSet("controllers")
	fs.IntVar(&o.Workers, "workers", o.Workers,
		"How many installs, upgrades and uninstalls are at work at once, over all targets; half of them at most on one. Those that only wait for what they applied are not counted, and probes have workers of their own.")
	fs.DurationVar(&o.SummaryInterval, "log-summary-interval", o.SummaryInterval,
		"How often the log says in one line how many Installations and targets are well, and names the first that are not; 0 for never.")
	o.Outbound.AddFlags(groups)
}

// Validate returns everything that is wrong with the options.
func (o *Controllers) Validate() error {
	var errs []error
	if o.Workers < 1 || o.Workers > 1000 {
		errs = append(errs, fmt.Errorf("--workers is %d, it must be from 1 to 1000", o.Workers))
	}
	if o.SummaryInterval != 0 && o.SummaryInterval < time.Second {
		errs = append(errs, fmt.Errorf("--log-summary-interval is %s, it must be at least 1s, or 0 for never", o.SummaryInterval))
	}
	return errors.Join(append(errs, o.Outbound.Validate())...)
}

// LeaderElection says whether replicas take turns, and how.
type LeaderElection struct {
	// Enabled is off for a single replica only.
	Enabled bool
	// Namespace holds the Lease, in the host cluster.
	Namespace string
	// LeaseDuration is how long a silent leader is waited for.
	LeaseDuration time.Duration
	// RenewDeadline is how long a leader tries to renew before it gives up.
	RenewDeadline time.Duration
	// RetryPeriod is the time between two tries.
	RetryPeriod time.Duration
}

// LeaseName is the Lease that the leader holds.
const LeaseName = "ksit-controller-manager"

// NewLeaderElection returns the defaults.
func NewLeaderElection() *LeaderElection {
	return &LeaderElection{
		Enabled:       true,
		Namespace:     "ksit-system",
		LeaseDuration: 15 * time.Second,
		RenewDeadline: 10 * time.Second,
		RetryPeriod:   2 * time.Second,
	}
}

// AddFlags adds the flags.
func (o *LeaderElection) AddFlags(groups *cliflag.NamedFlagSets) {
	fs := groups.FlagSet("leader election")
	fs.BoolVar(&o.Enabled, "leader-elect", o.Enabled,
		"Work only while holding the Lease "+LeaseName+" of the host cluster. Turn it off only where a second replica can not be.")
	fs.StringVar(&o.Namespace, "leader-elect-namespace", o.Namespace,
		"Namespace of the host cluster that holds the Lease.")
	fs.DurationVar(&o.LeaseDuration, "leader-elect-lease-duration", o.LeaseDuration,
		"How long the others wait for a leader that is silent before one of them takes over.")
	fs.DurationVar(&o.RenewDeadline, "leader-elect-renew-deadline", o.RenewDeadline,
		"How long a leader tries to renew the Lease before it stops working.")
	fs.DurationVar(&o.RetryPeriod, "leader-elect-retry-period", o.RetryPeriod,
		"How long to wait between two tries to get or to renew the Lease.")
}

// Validate returns everything that is wrong with the options.
func (o *LeaderElection) Validate() error {
	if !o.Enabled {
		return nil
	}
	var errs []error
	if o.Namespace == "" {
		errs = append(errs, errors.New("--leader-elect-namespace must be given"))
	}
	if o.LeaseDuration < time.Second {
		errs = append(errs, errors.New("--leader-elect-lease-duration must be at least 1s"))
	}
	if o.LeaseDuration <= o.RenewDeadline {
		errs = append(errs, errors.New("--leader-elect-lease-duration must be over --leader-elect-renew-deadline"))
	}
	if o.RetryPeriod <= 0 || float64(o.RenewDeadline) <= 1.2*float64(o.RetryPeriod) {
		errs = append(errs, errors.New("--leader-elect-renew-deadline must be well over --leader-elect-retry-period, and that over 0"))
	}
	return errors.Join(errs...)
}
