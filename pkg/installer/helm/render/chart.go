// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"

	"ksit.io/ksit/pkg/safeyaml"
)

const notesFile = "NOTES.txt"

// chartInto does what Helm does between a chart and a release, in its order.
func chartInto(loaded *chart.Chart, values map[string]any, o order, target *asking) (*Result, *Error) {
	if err := chartutil.ProcessDependenciesWithMerge(loaded, values); err != nil {
		return nil, &Error{FaultChart, err.Error()}
	}
	top, err := chartutil.ToRenderValuesWithSchemaValidation(loaded, values, chartutil.ReleaseOptions{
		Name: o.Release.Name, Namespace: o.Release.Namespace, Revision: o.Release.Revision,
		IsInstall: !o.Release.Upgrade, IsUpgrade: o.Release.Upgrade,
	}, o.Capabilities, true)
	if err != nil {
		return nil, &Error{FaultValues, err.Error()}
	}
	if failure := checkSchemas(loaded, top["Values"]); failure != nil {
		return nil, failure
	}
	if want := loaded.Metadata.KubeVersion; want != "" && !chartutil.IsCompatibleRange(want, o.Capabilities.KubeVersion.String()) {
		return nil, &Error{FaultChart, fmt.Sprintf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s", want, o.Capabilities.KubeVersion.String())}
	}
	var rendered map[string]string
	if target != nil {
		rendered, err = engine.RenderWithClientProvider(loaded, top, target)
	} else {
		rendered, err = engine.Render(loaded, top)
	}
	if err != nil {
		return nil, &Error{FaultTemplate, err.Error()}
	}
	result := &Result{Values: loaded.Values, Dependencies: loaded.Metadata.Dependencies}
	result.Notes = rendered[path.Join(loaded.Name(), "templates", notesFile)]
	maps.DeleteFunc(rendered, func(name, _ string) bool { return strings.HasSuffix(name, notesFile) })
	return result, result.sort(rendered)
}

// sort tells hooks from the manifest, and orders that.
func (r *Result) sort(rendered map[string]string) *Error {
	size := len(r.Notes)
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if size += len(rendered[name]); size > maxManifestBytes {
			return &Error{FaultSize, fmt.Sprintf("its templates make more than %d MiB", maxManifestBytes>>20)}
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(rendered, nil, releaseutil.InstallOrder)
	if err != nil {
		return &Error{FaultTemplate, err.Error()}
	}
	if n := len(hooks) + len(manifests); n > maxObjects {
		return &Error{FaultSize, fmt.Sprintf("its templates make %d objects, more than %d", n, maxObjects)}
	}
	// Others read these where there is no limit of memory.
	for _, h := range hooks {
		if err := safeyaml.Bounded([]byte(h.Manifest)); err != nil {
			return &Error{FaultTemplate, fmt.Sprintf("what %s makes: %s", h.Path, err)}
		}
	}
	var all strings.Builder
	for _, m := range manifests {
		if err := safeyaml.Bounded([]byte(m.Content)); err != nil {
			return &Error{FaultTemplate, fmt.Sprintf("what %s makes: %s", m.Name, err)}
		}
		fmt.Fprintf(&all, "---\n# Source: %s\n%s\n", m.Name, m.Content)
	}
	r.Manifest, r.Hooks = all.String(), hooks
	return nil
}
