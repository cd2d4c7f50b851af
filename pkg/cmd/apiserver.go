// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/util/compatibility"

	"ksit.io/ksit/pkg/apiserver"
	"ksit.io/ksit/pkg/cmd/options"
)

func newAPIServerCommand() *cobra.Command {
	o := options.NewAPIServerCommand(compatibility.DefaultComponentGlobalsRegistry)
	return withOptions(&cobra.Command{
		Use:   "apiserver",
		Short: "Serves the API ksit.io, from an etcd of its own",
		Long: "Serves the API group ksit.io to the aggregator of a host cluster, which gives authentication, authorization, " +
			"namespaces and admission policies. It keeps nothing itself: run as many as wanted on one etcd (--etcd-servers).",
	}, o, func(ctx context.Context) (err error) {
		closeRelay, err := relayEtcd(ctx, o.API)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeRelay()) }()
		reach, err := newOutbound(o.Outbound)
		if err != nil {
			return err
		}
		defer reach.connections.Close()
		server, err := newAPIServer(ctx, o.API, reach)
		if err != nil {
			return err
		}
		go wait.UntilWithContext(ctx, reach.dropUnused, unusedAfter/2)
		return server.Run(ctx)
	})
}

// newAPIServer makes a server from options that are complete, which reaches
// targets by reach. More is configured before it is built by the functions given.
func newAPIServer(ctx context.Context, o *options.APIServer, reach *outbound, configure ...func(*apiserver.Config)) (*apiserver.Server, error) {
	config, err := o.Config(ctx)
	if err != nil {
		return nil, err
	}
	host, err := options.RESTConfig(o.Recommended.CoreAPI.CoreAPIKubeconfigPath)
	if err != nil {
		return nil, err
	}
	if err := reach.serveLive(config, host, o); err != nil {
		return nil, err
	}
	for _, f := range configure {
		f(config)
	}
	completed, err := config.Complete()
	if err != nil {
		return nil, err
	}
	return completed.New()
}
