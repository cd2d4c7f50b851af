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

	"ksit.io/ksit/pkg/certificates"
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
	expiry, err := newCertificateMetrics()
	if err != nil {
		return err
	}
	keep, err := newCertificateKeeper(host, o.Certificates, o.Diagnostics.Serving, expiry)
	if err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if o.Diagnostics.Enabled() {
		// Not a child of ctx: metrics and health are served while work stops. Nor does
		// work wait for them: it may be this very process that makes the certificate.
		serving := context.WithoutCancel(ctx)
		defer beside(serving, func(serving context.Context) {
			if err := diagnose(ctx, serving, o.Diagnostics, host, expiry); err != nil {
				fail(fmt.Errorf("serving diagnostics: %w", err))
			}
		})()
	}
	err = runControllers(ctx, work{
		options: o.Controllers, reach: reach, ksit: ksit, host: host, traces: provider,
		election: o.LeaderElection, whileLeading: keep,
	})
	if err != nil {
		return fmt.Errorf("running the controllers: %w", err)
	}
	// Whoever ended it without a cause just wanted it to end.
	if cause := context.Cause(ctx); ctx.Err() != nil && cause != ctx.Err() { //nolint:errorlint // the cause may wrap the other
		return cause
	}
	if ctx.Err() == nil {
		return errors.New("the controllers ended without being asked to")
	}
	return nil
}

// diagnose serves metrics, health and profiles until serving is done. It waits for
// a certificate from the host, until ctx is done.
func diagnose(ctx, serving context.Context, o *options.Diagnostics, host *rest.Config, expiry *certificates.Metrics) error {
	if o.Serving.Enabled() {
		provider, err := waitForCertificate(ctx, host, o.Serving)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // nobody needs it any more
		}
		if err != nil {
			return err
		}
		o.ServeWith(provider)
	}
	config, err := o.Config()
	if err != nil {
		return err
	}
	expiry.ObserveServing(config.Serving.Cert)
	stopped, err := serveDiagnostics(serving, config)
	if err != nil {
		return err
	}
	<-stopped
	return nil
}
