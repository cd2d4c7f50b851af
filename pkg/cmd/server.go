// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"errors"
	"net/http"

	"github.com/spf13/cobra"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/metrics/legacyregistry"

	"ksit.io/ksit/pkg/apiserver"
	"ksit.io/ksit/pkg/cmd/options"
	"ksit.io/ksit/pkg/etcd"
)

func newServerCommand() *cobra.Command {
	o := options.NewServer(compatibility.DefaultComponentGlobalsRegistry)
	return withOptions(&cobra.Command{
		Use:   "server",
		Short: "Runs all of KSIT in one process: etcd, API and controllers",
		Long: "Runs all of KSIT in one process, for one machine: an embedded etcd (unless --etcd-servers is given), " +
			"the API group ksit.io for the aggregator of a host cluster, and the controllers.",
	}, o, func(ctx context.Context) error {
		return runServer(ctx, o)
	})
}

// runServer starts etcd, API and controllers in this order and stops them in the
// opposite one.
func runServer(ctx context.Context, o *options.Server) (failure error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var configure []func(*apiserver.Config)
	var election *options.LeaderElection
	if o.UsesEmbeddedEtcd() {
		embedded, err := openEtcd(ctx, o.Etcd)
		if err != nil {
			return err
		}
		defer func() { failure = errors.Join(failure, embedded.Close()) }()
		go func() {
			select {
			case <-embedded.Done():
				fail(errors.New("the embedded etcd stopped by itself"))
			case <-ctx.Done():
			}
		}()
		o.SetEtcdEndpoint(embedded.Endpoint())
		configure = append(configure, func(config *apiserver.Config) {
			config.Generic.AddReadyzChecks(healthz.NamedCheck("embedded-etcd", func(*http.Request) error {
				return embedded.Check()
			}))
		})
	} else {
		// Nothing else keeps two of them apart.
		election = o.LeaderElection
		closeRelay, err := relayEtcd(ctx, o.API)
		if err != nil {
			return err
		}
		defer func() { failure = errors.Join(failure, closeRelay()) }()
	}
	host, err := options.RESTConfig(o.API.Recommended.CoreAPI.CoreAPIKubeconfigPath)
	if err != nil {
		return err
	}
	reach, err := newOutbound(o.Controllers.Outbound)
	if err != nil {
		return err
	}
	defer reach.connections.Close()
	server, err := newAPIServer(ctx, o.API, reach, configure...)
	if err != nil {
		return err
	}
	server.RunBeside("controllers", func(ctx context.Context, api *rest.Config) error {
		return runControllers(ctx, o.Controllers, reach, api, host, election)
	})
	return server.Run(ctx)
}

func openEtcd(ctx context.Context, o *options.EmbeddedEtcd) (*etcd.Server, error) {
	metrics := etcd.NewMetrics()
	if err := metrics.Register(legacyregistry.Register); err != nil {
		return nil, err
	}
	return etcd.Open(ctx, o.Options(metrics))
}
