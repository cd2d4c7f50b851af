// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"errors"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/installer/helm/render"
)

// rendering returns what a chart makes for the target, and the CRDs of crds/ that
// go ahead of it. It writes nothing.
func (o *operation) rendering(r rollout) (rendered *render.Result, crds []crd, err error) {
	ctx, done := installer.Step(o.ctx, "helm render")
	defer func() { done(err) }()
	if r.policy != v1alpha1.CRDPolicySkip {
		if crds, err = chartCRDs(r.chart); err != nil {
			return nil, nil, err
		}
	}
	caps, err := o.caps.get(ctx, o.conn, crds)
	if err != nil {
		return nil, nil, classify(o.ctx, err, "asking the target what it serves", o.redact)
	}
	o.config.Capabilities = caps
	rendered, err = o.runTemplates(r, caps)
	return rendered, crds, err
}

// runTemplates has the templates of a chart run, in a process of their own. Helm is
// then given a shell of the chart, which has no templates, and the outcome is
// put into the release in the place of what Helm made of the shell. So a
// template runs once, and what was looked at is what is installed.
func (o *operation) runTemplates(r rollout, caps *chartutil.Capabilities) (*render.Result, error) {
	request := render.Request{
		Archive: r.archive,
		Values:  r.values,
		Release: render.Release{
			Name: o.release.Name, Namespace: o.release.Namespace, Revision: r.follows + 1, Upgrade: r.follows > 0,
		},
		Capabilities: caps,
	}
	if o.lookups != LookupNone {
		request.Lookup = o.lookup
	}
	result, err := o.renderer.Render(o.ctx, request)
	switch {
	case err == nil:
		return result, nil
	case o.ctx.Err() != nil:
		return nil, interrupted(o.ctx, "rendering")
	default:
		return nil, classify(o.ctx, renderError(err), "rendering", o.redact)
	}
}

// renderError gives what went wrong its reason. Only the machine's own faults
// may pass by themselves.
func renderError(err error) error {
	failure, ok := errors.AsType[*render.Error](err)
	if !ok {
		return installer.Errorf(installer.ReasonRenderFailed, "%w", err)
	}
	switch failure.Fault {
	case render.FaultChart:
		return installer.Terminalf(installer.ReasonChartInvalid, "%w", err)
	case render.FaultValues:
		return installer.Terminalf(installer.ReasonValuesInvalid, "%w", err)
	case render.FaultSize:
		return installer.Terminalf(installer.ReasonTooLarge, "%w", err)
	case render.FaultTemplate, render.FaultResources:
		return installer.Terminalf(installer.ReasonRenderFailed, "%w", err)
	default:
		return installer.Errorf(installer.ReasonRenderFailed, "%w", err)
	}
}

// shell is what Helm is given in the place of a chart: its name and version, and
// nothing that Helm would render, look for or compare.
func shell(c *chart.Chart) *chart.Chart {
	metadata := *c.Metadata
	metadata.KubeVersion, metadata.Dependencies = "", nil
	return &chart.Chart{Metadata: &metadata}
}

// asRecorded is the chart as Helm keeps it in a release: with what rendering made
// of its values and its dependencies.
func asRecorded(c *chart.Chart, rendered *render.Result) *chart.Chart {
	metadata := *c.Metadata
	metadata.Dependencies = rendered.Dependencies
	return &chart.Chart{
		Metadata: &metadata, Lock: c.Lock, Templates: c.Templates, Values: rendered.Values, Schema: c.Schema, Files: c.Files,
	}
}
