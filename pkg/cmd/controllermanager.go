// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ksit.io/ksit/pkg/cmd/options"
	"ksit.io/ksit/pkg/metrics"
	"ksit.io/ksit/pkg/version"
)

func newControllerManagerCommand() *cobra.Command {
	o := options.NewControllerManager()
	return withOptions(&cobra.Command{
		Use:   "controller-manager",
		Short: "Runs the controllers, which install, probe and repair",
		Long: "Runs the controllers, which connect to targets and install, probe and repair what Integrations ask for. " +
			"Of several replicas one works at a time.",
	}, o, func(ctx context.Context) error {
		return runControllerManager(ctx, o)
	})
}

func runControllerManager(ctx context.Context, o *options.ControllerManager) (err error) {
	host, err := options.RESTConfig(o.Kubeconfig)
	if err != nil {
		return err
	}
	ksit, err := options.RESTConfig(o.KSITKubeconfig)
	if err != nil {
		return err
	}

	if err := metrics.RegisterBuild(registry{}, version.Get()); err != nil {
		return err
	}
	reach, err := newOutbound(o.Controllers.Outbound)
	if err != nil {
		return err
	}
	if o.Diagnostics.Enabled() {
		config, err := o.Diagnostics.Config()
		if err != nil {
			return err
		}
		// Not a child of ctx: metrics and health are served while work stops.
		serving, stop := context.WithCancel(context.WithoutCancel(ctx))
		stopped, err := serveDiagnostics(serving, config)
		if err != nil {
			stop()
			return fmt.Errorf("serving diagnostics: %w", err)
		}
		defer func() {
			stop()
			<-stopped
		}()
	}
	if err := runControllers(ctx, o.Controllers, reach, ksit, host, o.LeaderElection); err != nil {
		return fmt.Errorf("running the controllers: %w", err)
	}
	if ctx.Err() == nil {
		return errors.New("the controllers ended without being asked to")
	}
	return nil
}
