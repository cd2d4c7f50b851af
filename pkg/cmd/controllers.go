// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	componentmetrics "k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/cmd/options"
	"ksit.io/ksit/pkg/controller"
	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/installer/helm"
	"ksit.io/ksit/pkg/installer/manifest"
	"ksit.io/ksit/pkg/metrics"
	"ksit.io/ksit/pkg/rewrite"
	"ksit.io/ksit/pkg/version"
)

// diskCacheBytes bounds what is kept of downloads on disk: the indexes of large
// repositories are some ten megabytes each.
const diskCacheBytes = 256 << 20

// runControllers runs the controllers until ctx ends, with leader election
// where election is not nil and enabled. It returns when all work has stopped.
func runControllers(ctx context.Context, o *options.Controllers, ksit, host *rest.Config, election *options.LeaderElection) error {
	installers, err := newInstallers(o)
	if err != nil {
		return err
	}
	registered, err := metrics.New(registry(legacyregistry.Register))
	if err != nil {
		return err
	}
	elect, err := leaderElection(election)
	if err != nil {
		return err
	}
	manager, err := controller.New(controller.Config{
		KSIT:    ksit,
		Host:    host,
		Workers: o.Workers,
		Connections: cluster.NewSet(cluster.Options{
			QPS:           o.TargetQPS,
			Burst:         o.TargetBurst,
			UserAgent:     "ksit/" + version.Get().GitVersion,
			AllowInsecure: o.AllowInsecureTargets,
		}),
		Installers:     installers,
		Metrics:        registered,
		LeaderElection: elect,
	})
	if err != nil {
		return err
	}
	return manager.Run(ctx)
}

func newInstallers(o *options.Controllers) (map[v1alpha1.InstallMethod]installer.Installer, error) {
	var rewrites *rewrite.Table
	if o.RewritesFile != "" {
		var err error
		if rewrites, err = rewrite.Load(o.RewritesFile); err != nil {
			return nil, err
		}
	}
	allowed, err := fetch.ParseAllowedSources(o.AllowedSources)
	if err != nil {
		return nil, fmt.Errorf("--allowed-sources: %w", err)
	}
	var cacheBytes int64 // The default, which is meant for memory.
	if o.CacheDir != "" {
		cacheBytes = diskCacheBytes
	}
	client, err := fetch.NewClient(fetch.Options{
		Rewrites:   rewrites,
		AllowLocal: o.AllowLocalSources,
		Allowed:    allowed,
		CacheDir:   o.CacheDir,
		CacheBytes: cacheBytes,
		UserAgent:  "ksit/" + version.Get().GitVersion,
	})
	if err != nil {
		return nil, err
	}
	charts, err := helm.New(helm.Options{
		Fetch:             client,
		Rewrites:          rewrites,
		ChartsDir:         o.ChartsDir,
		CacheDir:          o.CacheDir,
		AllowLocalSources: o.AllowLocalSources,
		Lookup:            helm.LookupPolicy(o.ChartLookup),
	})
	if err != nil {
		return nil, err
	}
	return map[v1alpha1.InstallMethod]installer.Installer{
		v1alpha1.InstallMethodHelm:     charts,
		v1alpha1.InstallMethodManifest: manifest.New(manifest.Options{Fetch: client, Rewrites: rewrites}),
	}, nil
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
