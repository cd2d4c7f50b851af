// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/cmd/options"
	"ksit.io/ksit/pkg/controller"
	"ksit.io/ksit/pkg/metrics"
)

// runControllers runs the controllers until ctx ends, with leader election
// where election is not nil and enabled. It returns when all work has stopped,
// and closes the connections of reach then.
func runControllers(ctx context.Context, o *options.Controllers, reach *outbound, ksit, host *rest.Config, election *options.LeaderElection) error {
	registered, err := metrics.New(registry{})
	if err != nil {
		return err
	}
	elect, err := leaderElection(election)
	if err != nil {
		return err
	}
	manager, err := controller.New(controller.Config{
		KSIT:           ksit,
		Host:           host,
		Workers:        o.Workers,
		Connections:    reach.connections,
		Installers:     reach.installers,
		Metrics:        registered,
		LeaderElection: elect,
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
