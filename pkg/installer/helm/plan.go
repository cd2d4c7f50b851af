// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"cmp"
	"slices"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/catalog"
	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
)

// wanted is a release as it shall be.
type wanted struct {
	name       releaseName
	repository string
	access     *fetch.Access
	verify     *verification
	wish       wish
	policy     v1alpha1.CRDPolicy
	redact     *redactor
	// marked are the values with what comes from Secrets marked, for showing.
	marked map[string]any
}

func (w *wanted) ref() chartRef {
	return chartRef{repository: w.repository, chart: w.wish.chart, version: w.wish.version, access: w.access, verify: w.verify}
}

// plan returns the releases that a request wants, in the order in which they are
// installed, and the recorded ones that it no longer wants.
func plan(req installer.Request) (releases []*wanted, dropped []v1alpha1.ReleaseStatus, err error) {
	if req.AutoInstall == nil || req.AutoInstall.HelmConfig == nil {
		return nil, nil, installer.Terminalf(installer.ReasonChartNotFound, "no chart is named")
	}
	config := req.AutoInstall.HelmConfig
	if config.Chart == "" || config.ReleaseName == "" || req.Namespace == "" {
		return nil, nil, installer.Terminalf(installer.ReasonChartNotFound, "the chart, the name of the release or its namespace is missing")
	}
	version, err := parseRange(config.Version)
	if err != nil {
		return nil, nil, installer.Terminalf(installer.ReasonChartNotFound, "the version of chart %s: %w", config.Chart, err)
	}
	marked, err := chartValues(req)
	if err != nil {
		return nil, nil, err
	}
	values := reveal(marked)
	policy := cmp.Or(req.AutoInstall.CRDPolicy, v1alpha1.CRDPolicyCreateReplace)
	refuse := req.AutoInstall.AdoptionPolicy == v1alpha1.AdoptionPolicyRefuse
	add := func(chart, name string) {
		w := &wanted{
			name:       releaseName{Namespace: req.Namespace, Name: name},
			repository: config.Repository,
			access:     req.Sources.Access,
			verify:     newVerification(config.Verify, req.Sources.Keys),
			wish:       wish{owner: req.Owner, chart: chart, version: version, values: values, refuseFound: refuse},
			policy:     policy,
			redact:     newRedactor(marked, name, req.Namespace, chart),
			marked:     marked,
		}
		for _, r := range req.Recorded {
			if r.Name == name && r.Namespace == req.Namespace {
				w.wish.recorded, w.wish.adopted = true, r.Adopted
			}
		}
		releases = append(releases, w)
	}
	for _, c := range chartsInOrder(req) {
		add(c.chart, c.release)
	}
	return releases, unwanted(req, releases), nil
}

// chartRelease is a chart and the name of its release.
type chartRelease struct{ chart, release string }

// chartsInOrder names the charts that a request brings, in the order in which
// they are installed.
func chartsInOrder(req installer.Request) []chartRelease {
	config := req.AutoInstall.HelmConfig
	var charts []chartRelease
	for _, p := range catalog.Prerequisites(string(req.Type), config.Chart) {
		// A user who gives istiod the name istio-base has the one release.
		if p.ReleaseName != config.ReleaseName {
			charts = append(charts, chartRelease{p.Chart, p.ReleaseName})
		}
	}
	return append(charts, chartRelease{config.Chart, config.ReleaseName})
}

// unwanted returns what is recorded and not among the releases.
func unwanted(req installer.Request, releases []*wanted) []v1alpha1.ReleaseStatus {
	var dropped []v1alpha1.ReleaseStatus
	for _, r := range req.Recorded {
		name := releaseName{Namespace: r.Namespace, Name: r.Name}
		if !slices.ContainsFunc(releases, func(w *wanted) bool { return w.name == name }) {
			dropped = append(dropped, r)
		}
	}
	return dropped
}

// chartValues returns the values that a request asks for on its target, with
// what comes from Secrets marked.
func chartValues(req installer.Request) (map[string]any, error) {
	config := req.AutoInstall.HelmConfig
	values, err := mergeValues(config, req.Sources.Values)
	if err != nil || !config.TemplateValues {
		return values, err
	}
	return template(values, req)
}
