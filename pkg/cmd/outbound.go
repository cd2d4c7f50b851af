// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/apiserver"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/cmd/options"
	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/pkg/host"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/installer/helm"
	"ksit.io/ksit/pkg/installer/manifest"
	"ksit.io/ksit/pkg/live"
	ksitrest "ksit.io/ksit/pkg/registry/ksit/rest"
	"ksit.io/ksit/pkg/rewrite"
	"ksit.io/ksit/pkg/sources"
	"ksit.io/ksit/pkg/targetproxy"
	"ksit.io/ksit/pkg/version"
)

// diskCacheBytes bounds what is kept of downloads on disk: the indexes of large
// repositories are some ten megabytes each.
const diskCacheBytes = 256 << 20

// unusedAfter is when the connection to a target that nobody asks about any more
// is given back, in a process without the controllers, which know when one goes.
const unusedAfter = 10 * time.Minute

// outbound is how a process reaches targets and sources. All parts of it share
// one.
type outbound struct {
	connections *cluster.Set
	installers  map[v1alpha1.InstallMethod]installer.Installer
}

func newOutbound(o *options.Outbound) (*outbound, error) {
	installers, err := newInstallers(o)
	if err != nil {
		return nil, err
	}
	return &outbound{
		connections: cluster.NewSet(cluster.Options{
			QPS:           o.TargetQPS,
			Burst:         o.TargetBurst,
			UserAgent:     "ksit/" + version.Get().GitVersion,
			AllowInsecure: o.AllowInsecureTargets,
		}),
		installers: installers,
	}, nil
}

func (r *outbound) dropUnused(ctx context.Context) {
	if dropped := r.connections.DropUnused(time.Now().Add(-unusedAfter)); dropped > 0 {
		klog.FromContext(ctx).V(2).Info("Closed the connections to targets that nobody asks about", "connections", dropped)
	}
}

// serveLive has the API server answer the subresources that ask a target.
func (r *outbound) serveLive(config *apiserver.Config, hostConfig *rest.Config, o *options.APIServer) error {
	client, err := versioned.NewForConfig(config.Generic.LoopbackClientConfig)
	if err != nil {
		return fmt.Errorf("making the client of the ksit.io API: %w", err)
	}
	hostClient, err := kubernetes.NewForConfig(hostConfig)
	if err != nil {
		return fmt.Errorf("making the client of the host cluster: %w", err)
	}
	reader := host.NewReader(hostClient)
	targets := &live.Targets{Client: client.KsitV1alpha1(), Secrets: reader.Secrets(), Connections: r.connections}
	config.TargetProxy = targetproxy.New(targets, targetproxy.Options{PerTarget: o.TargetProxy.PerTarget, PerCaller: o.TargetProxy.PerUser})
	read := sources.Reader{ConfigMaps: reader.ConfigMaps(), Secrets: reader.Secrets()}
	config.Live = &ksitrest.Live{
		Targets:       targets,
		Installations: live.NewInstallations(targets, r.installers, read),
	}
	return nil
}

func newInstallers(o *options.Outbound) (map[v1alpha1.InstallMethod]installer.Installer, error) {
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
