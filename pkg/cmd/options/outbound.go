// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"errors"
	"fmt"
	"os"
	"slices"

	cliflag "k8s.io/component-base/cli/flag"

	"ksit.io/ksit/pkg/fetch"
)

// Outbound are the options of all that a process reaches besides the host
// cluster: targets, and the sources of charts and manifests.
type Outbound struct {
	// TargetQPS and TargetBurst bound the requests to one target.
	TargetQPS   float32
	TargetBurst int
	// RewritesFile holds the table of prefix rewrites; empty for none.
	RewritesFile string
	// ChartsDir holds chart archives that are looked at first; empty for none.
	ChartsDir string
	// CacheDir keeps downloaded charts and indexes; empty for nothing that
	// outlives the process.
	CacheDir string
	// AllowLocalSources lets tenants name loopback and link-local addresses.
	AllowLocalSources bool
	// AllowedSources are URL prefixes that tenants may name; empty for all.
	AllowedSources []string
	// ChartLookup is what lookup in templates finds on the target: None, Release
	// or All.
	ChartLookup string
	// AllowInsecureTargets takes kubeconfigs that do not verify the server.
	AllowInsecureTargets bool
}

// NewOutbound returns the defaults.
func NewOutbound() *Outbound {
	return &Outbound{TargetQPS: 200, TargetBurst: 400, ChartLookup: "Release"}
}

// AddFlags adds the flags.
func (o *Outbound) AddFlags(groups *cliflag.NamedFlagSets) {
	fs := groups.FlagSet("targets and sources")
	fs.Float32Var(&o.TargetQPS, "target-qps", o.TargetQPS,
		"How many requests a second are sent to one target on average, by everything in this process but users who use its API "+
			"through KSIT (integrationtargets/proxy).")
	fs.IntVar(&o.TargetBurst, "target-burst", o.TargetBurst,
		"How many requests may be sent to one target at once, above --target-qps.")
	fs.StringVar(&o.RewritesFile, "rewrites-file", o.RewritesFile,
		"YAML file with prefix rewrites for chart repositories and manifest URLs (rewrites) and for container images "+
			"(images), each a list of from and to. What it leads to is trusted, loopback addresses included.")
	fs.StringVar(&o.ChartsDir, "charts-dir", o.ChartsDir,
		"Directory of chart archives, NAME-VERSION.tgz, that is looked at before any repository.")
	fs.StringVar(&o.CacheDir, "cache-dir", o.CacheDir,
		"Directory in which downloaded charts and repository indexes are kept, within a bounded size. Only this process may be able "+
			"to write there. By default the directory cache in --data-dir where there is one; else charts are not kept, and indexes in memory.")
	fs.BoolVar(&o.AllowLocalSources, "allow-local-sources", o.AllowLocalSources,
		"Let Integrations name chart repositories and manifests at loopback, link-local and other local addresses. "+
			"Whoever may create an Integration can then reach what this process can reach there.")
	fs.StringSliceVar(&o.AllowedSources, "allowed-sources", o.AllowedSources,
		"What Integrations may have fetched: URL prefixes such as https://charts.example.com/stable or oci://ghcr.io/argoproj, "+
			"with *. in front of a host for all names below it, or hosts alone; redirects, archives and token services included. "+
			"May be given several times. What --rewrites-file leads to is allowed as well. When empty, everything is that is not local.")
	fs.StringVar(&o.ChartLookup, "chart-lookup", o.ChartLookup,
		"What the function lookup of a chart's templates finds on the target: None, as with helm template; Release, the objects of the release itself; "+
			"All, everything that the target's kubeconfig may read, which is then open to whoever may create an Integration.")
	fs.BoolVar(&o.AllowInsecureTargets, "allow-insecure-targets", o.AllowInsecureTargets,
		"Take kubeconfigs of targets with insecure-skip-tls-verify.")
}

// Validate returns everything that is wrong with the options.
func (o *Outbound) Validate() error {
	var errs []error
	if o.TargetQPS <= 0 {
		errs = append(errs, fmt.Errorf("--target-qps is %v, it must be over 0", o.TargetQPS))
	}
	if o.TargetBurst < 1 {
		errs = append(errs, fmt.Errorf("--target-burst is %d, it must be at least 1", o.TargetBurst))
	}
	if !slices.Contains([]string{"None", "Release", "All"}, o.ChartLookup) {
		errs = append(errs, fmt.Errorf("--chart-lookup is %q, it must be None, Release or All", o.ChartLookup))
	}
	if _, err := fetch.ParseAllowedSources(o.AllowedSources); err != nil {
		errs = append(errs, fmt.Errorf("--allowed-sources: %w", err))
	}
	if o.RewritesFile != "" {
		if info, err := os.Stat(o.RewritesFile); err != nil {
			errs = append(errs, fmt.Errorf("--rewrites-file: %w", err))
		} else if info.IsDir() {
			errs = append(errs, fmt.Errorf("--rewrites-file: %s is a directory", o.RewritesFile))
		}
	}
	if o.ChartsDir != "" {
		if info, err := os.Stat(o.ChartsDir); err != nil {
			errs = append(errs, fmt.Errorf("--charts-dir: %w", err))
		} else if !info.IsDir() {
			errs = append(errs, fmt.Errorf("--charts-dir: %s is no directory", o.ChartsDir))
		}
	}
	return errors.Join(errs...)
}
