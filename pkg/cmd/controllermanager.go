// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/cmd/options"
	"ksit.io/ksit/pkg/tracing"
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

	provider, err := o.Tracing.Provider(ctx, "ksit-controller-manager", nil)
	if err != nil {
		return err
	}
	defer func() {
		if err := provider.Shutdown(context.WithoutCancel(ctx)); err != nil {
			klog.FromContext(ctx).V(1).Info("The last spans could not be sent", "err", err)
		}
	}()
	ksit = rest.CopyConfig(ksit)
	ksit.Wrap(func(next http.RoundTripper) http.RoundTripper { return tracing.Transport("ksit", next) })

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
	if err := runControllers(ctx, o.Controllers, reach, clusters{ksit: ksit, host: host}, provider, o.LeaderElection); err != nil {
		return fmt.Errorf("running the controllers: %w", err)
	}
	if ctx.Err() == nil {
		return errors.New("the controllers ended without being asked to")
	}
	return nil
}
