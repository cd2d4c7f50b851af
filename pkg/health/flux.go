// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// fluxControllers are the controllers of Flux, by their names, which neither
// the chart nor the project's manifests let one change, and the CRDs that each
// of them brings.
var fluxControllers = []struct {
	name     string
	optional bool
	crds     []string
}{
	{name: "source-controller", crds: []string{
		"buckets.source.toolkit.fluxcd.io", "gitrepositories.source.toolkit.fluxcd.io", "helmcharts.source.toolkit.fluxcd.io",
		"helmrepositories.source.toolkit.fluxcd.io", "ocirepositories.source.toolkit.fluxcd.io"}},
	{name: "kustomize-controller", crds: []string{"kustomizations.kustomize.toolkit.fluxcd.io"}},
	{name: "helm-controller", crds: []string{"helmreleases.helm.toolkit.fluxcd.io"}},
	{name: "notification-controller", crds: []string{
		"alerts.notification.toolkit.fluxcd.io", "providers.notification.toolkit.fluxcd.io", "receivers.notification.toolkit.fluxcd.io"}},
	{name: "image-reflector-controller", optional: true, crds: []string{
		"imagepolicies.image.toolkit.fluxcd.io", "imagerepositories.image.toolkit.fluxcd.io"}},
	{name: "image-automation-controller", optional: true, crds: []string{"imageupdateautomations.image.toolkit.fluxcd.io"}},
	{name: "source-watcher", optional: true},
}

// flux checks the controllers that are there, and their CRDs.
func (p *probe) flux(ctx context.Context) []v1alpha1.CheckResult {
	workloads, _ := p.workloads(ctx)
	var components []component
	var crds []string
	for _, c := range fluxControllers {
		named := func(u *unstructured.Unstructured) bool {
			return u.GetName() == c.name && u.GroupVersionKind().GroupKind() == deploymentKind
		}
		components = append(components, component{name: c.name, optional: c.optional, match: named})
		// A controller that was left out brings no CRDs.
		if slices.ContainsFunc(workloads, named) {
			crds = append(crds, c.crds...)
		}
	}
	checks := p.components(ctx, components...)
	if len(crds) > 0 {
		checks = append(checks, p.definitions(ctx, crds...))
	}
	if note, ok := p.fluxObjects(ctx); ok {
		checks = append(checks, note)
	}
	return checks
}

const (
	// fluxPage is how many objects of a kind are looked at.
	fluxPage  = 200
	fluxNamed = 3
)

// fluxObjects tells how many of the objects that Flux works on are not ready,
// and names the first few. It is a note and never a failure: whether what users
// ask of Flux can be done says nothing of Flux.
func (p *probe) fluxObjects(ctx context.Context) (v1alpha1.CheckResult, bool) {
	total, bad, partial := 0, 0, false
	var named []string
	for _, kind := range []schema.GroupKind{
		{Group: "kustomize.toolkit.fluxcd.io", Kind: "Kustomization"},
		{Group: "helm.toolkit.fluxcd.io", Kind: "HelmRelease"},
	} {
		rows, more, err := p.table(ctx, kind)
		if err != nil {
			continue
		}
		partial = partial || more
		for _, row := range rows {
			total++
			if row.ready != "False" {
				continue
			}
			bad++
			if len(named) < fluxNamed {
				named = append(named, fmt.Sprintf("%s %s/%s", kind.Kind, row.namespace, row.name))
			}
		}
	}
	if total == 0 {
		return v1alpha1.CheckResult{}, false
	}
	of := fmt.Sprint(total)
	if partial {
		of = "the first " + of
	}
	message := fmt.Sprintf("of %s Flux objects all are ready", of)
	if bad > 0 {
		message = fmt.Sprintf("of %s Flux objects %d are not ready: %s", of, bad, strings.Join(named, ", "))
		if bad > len(named) {
			message += ", …"
		}
	}
	return result("flux-objects", passed(message)), true
}

type tableRow struct{ namespace, name, ready string }

// table reads objects as the table that kubectl shows, whose column READY says
// what is to be known without their specs.
func (p *probe) table(ctx context.Context, kind schema.GroupKind) (rows []tableRow, more bool, err error) {
	mapping, err := p.mapping(kind)
	if err != nil {
		return nil, false, err
	}
	if err := p.acquire(ctx); err != nil {
		return nil, false, err
	}
	defer p.release()
	var table metav1.Table
	data, err := p.conn.Kubernetes().Discovery().RESTClient().Get().
		AbsPath("/apis", mapping.Resource.Group, mapping.Resource.Version, mapping.Resource.Resource).
		Param("limit", fmt.Sprint(fluxPage)).
		Param("includeObject", string(metav1.IncludeMetadata)).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").
		DoRaw(ctx)
	if err != nil {
		return nil, false, err
	}
	if err := decode(data, &table); err != nil {
		return nil, false, err
	}
	column := slices.IndexFunc(table.ColumnDefinitions, func(c metav1.TableColumnDefinition) bool { return c.Name == "Ready" })
	for _, row := range table.Rows {
		var head metav1.PartialObjectMetadata
		if column < 0 || column >= len(row.Cells) || decode(row.Object.Raw, &head) != nil {
			continue
		}
		ready, _ := row.Cells[column].(string)
		rows = append(rows, tableRow{head.Namespace, head.Name, ready})
	}
	return rows, table.Continue != "", nil
}
