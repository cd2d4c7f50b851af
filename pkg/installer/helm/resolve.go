// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"

	"github.com/Masterminds/semver/v3"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

var _ installer.Resolver = (*Installer)(nil)

// Resolve implements installer.Resolver. Where an archive of the local directory
// would be installed, only those in there count, and no repository is asked.
func (i *Installer) Resolve(ctx context.Context, config *v1alpha1.HelmConfig, from installer.Sources) (installer.Versions, error) {
	if config == nil || config.Chart == "" {
		return installer.Versions{}, installer.Terminalf(installer.ReasonChartNotFound, "no chart is named")
	}
	admitted, err := parseRange(config.Version)
	if err != nil {
		return installer.Versions{}, installer.Terminalf(installer.ReasonChartNotFound, "the version of chart %s: %w", config.Chart, err)
	}
	return i.sources.versions(ctx, chartRef{repository: config.Repository, chart: config.Chart, version: admitted, access: from.Access})
}

// versions lists those of a chart where get would find it.
func (s *sources) versions(ctx context.Context, ref chartRef) (installer.Versions, error) {
	all, err := s.localVersions(ref.chart)
	if err != nil {
		return installer.Versions{}, err
	}
	if match, ok := ref.version.pick(all); ok {
		return installer.Versions{Match: match, Newest: newestReleased(all)}, nil
	}
	isOCI, err := s.isOCI(ref)
	if err != nil {
		return installer.Versions{}, err
	}
	if isOCI {
		return s.oci.newest(ctx, ref)
	}
	client, err := s.clientFor(ref)
	if err != nil {
		return installer.Versions{}, err
	}
	found, match, err := s.indexed(ctx, client, ref)
	if err != nil {
		return installer.Versions{}, err
	}
	return installer.Versions{Match: match, Newest: newestReleased(found.list())}, nil
}

// newest lists the versions of a chart in a registry.
func (o *ociRegistry) newest(ctx context.Context, ref chartRef) (installer.Versions, error) {
	ctx, cancel := boundedOCI(ctx)
	defer cancel()
	repository, err := o.open(ociLocation(ref), ref)
	if err != nil {
		return installer.Versions{}, err
	}
	all, err := repository.versions(ctx)
	if err != nil {
		return installer.Versions{}, err
	}
	match, ok := ref.version.pick(all)
	if !ok {
		return installer.Versions{}, installer.Errorf(installer.ReasonChartNotFound, "%s has no version %s; %s",
			repository.location, shorten(ref.version.text, 64), newest(all))
	}
	return installer.Versions{Match: match, Newest: newestReleased(all)}, nil
}

// newestReleased returns the newest version that is no pre-release, empty where
// there is none.
func newestReleased(versions []string) string {
	for _, text := range newestFirst(versions) {
		if v, err := semver.NewVersion(text); err == nil && v.Prerelease() == "" {
			return text
		}
	}
	return ""
}
