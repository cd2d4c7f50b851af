// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"fmt"
	"os"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	componentmetrics "k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"ksit.io/ksit/pkg/cmd/options"
	"ksit.io/ksit/pkg/controller"
	"ksit.io/ksit/pkg/metrics"
)

// work is what the controllers run with.
type work struct {
	options *options.Controllers
	// reach is how they get to targets and sources.
	reach *outbound
	// ksit and host are the APIs that they work with.
	ksit, host *rest.Config
	traces     trace.TracerProvider
	// election is nil where there is no other process that could work.
	election *options.LeaderElection
	// whileLeading, where it is not nil, runs while the controllers may work.
	whileLeading func(context.Context)
}

// runControllers runs the controllers until ctx ends. It returns when all work has
// stopped, and closes the connections of reach then.
func runControllers(ctx context.Context, w work) error {
	registered, err := metrics.New(registry(legacyregistry.Register))
	if err != nil {
		return err
	}
	elect, err := leaderElection(w.election)
	if err != nil {
		return err
	}
	manager, err := controller.New(controller.Config{
		KSIT:            w.ksit,
		Host:            w.host,
		Traces:          w.traces,
		Workers:         w.options.Workers,
		SummaryInterval: w.options.SummaryInterval,
		Connections:     w.reach.connections,
		Installers:      w.reach.installers,
		Metrics:         registered,
		LeaderElection:  elect,
		WhileLeading:    w.whileLeading,
	})
	if err != nil {
		return err
	}
	return manager.Run(ctx)
}

func leaderElection(o *options.LeaderElection) (*controller.LeaderElection, error) {
	if o == nil || !o.Enabled {
		return nil, nil
	}
	hostname, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("naming this process for leader election: %w", err)
	}
	return &controller.LeaderElection{
		Namespace: o.Namespace,
		Name:      options.LeaseName,
		// A restarted process is another candidate than the one that died.
		Identity:      hostname + "_" + string(uuid.NewUUID()),
		LeaseDuration: o.LeaseDuration,
		RenewDeadline: o.RenewDeadline,
		RetryPeriod:   o.RetryPeriod,
	}, nil
}

// registry registers metrics where the process serves them, at /metrics.
type registry func(componentmetrics.Registerable) error

func (r registry) Register(metric componentmetrics.Registerable) error { return r(metric) }
