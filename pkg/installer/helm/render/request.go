// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"context"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/release"
)

// Command is the hidden command of the program that renders.
const Command = "render"

const (
	// maxObjects bounds the objects of a release, its hooks included.
	maxObjects = 5000
	// maxManifestBytes bounds what the templates of a chart make. The record of
	// the release, which is compressed, has a bound of its own.
	maxManifestBytes = 24 << 20
)

// Request is a chart to render.
type Request struct {
	// Archive is that of the chart. The caller has looked at it.
	Archive []byte
	// Values are those of the user.
	Values map[string]any
	// Release is what the templates see as .Release.
	Release Release
	// Capabilities are those of the target.
	Capabilities *chartutil.Capabilities
	// Lookup answers the function of that name; where it is nil, nothing is found.
	Lookup Lookup
}

// Release names the release that a chart is rendered for.
type Release struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// Revision is 1 for an install.
	Revision int `json:"revision"`
	// Upgrade tells an upgrade from an install.
	Upgrade bool `json:"upgrade"`
}

// Lookup returns an object of the target or, where the query has no name, a list
// of them; nil where there is none.
type Lookup func(ctx context.Context, query Query) (map[string]any, error)

// Query is what a template asks of the target.
type Query struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name,omitempty"`
}

// Result is a rendered chart.
type Result struct {
	// Manifest holds the objects in the order in which they are installed.
	Manifest string `json:"manifest"`
	// Hooks are in no order.
	Hooks []*release.Hook `json:"hooks,omitempty"`
	Notes string          `json:"notes,omitempty"`
	// Values and Dependencies are those of the chart with what its conditions
	// and imports made of them, as Helm records them.
	Values       map[string]any      `json:"values,omitempty"`
	Dependencies []*chart.Dependency `json:"dependencies,omitempty"`
}

// Fault says what is wrong with a chart that was not rendered.
type Fault string

const (
	// FaultChart is that of the chart itself: its schema, the version of
	// Kubernetes that it needs.
	FaultChart Fault = "Chart"
	// FaultValues is that of values that do not fit the schema of the chart.
	FaultValues Fault = "Values"
	// FaultTemplate is that of a template that fails.
	FaultTemplate Fault = "Template"
	// FaultLookup is that of a lookup that the target did not answer.
	FaultLookup Fault = "Lookup"
	// FaultSize is that of a chart that makes too much.
	FaultSize Fault = "Size"
	// FaultResources is that of templates that take too much memory or processor
	// time.
	FaultResources Fault = "Resources"
	// FaultTime is that of templates that took too long, which may be the
	// machine's fault.
	FaultTime Fault = "Time"
)

// Error is a chart that was not rendered. Its text may hold values.
type Error struct {
	Fault Fault  `json:"fault"`
	Text  string `json:"text"`
}

func (e *Error) Error() string { return e.Text }
