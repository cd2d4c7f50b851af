// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	"go.opentelemetry.io/otel/attribute"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/tracing"
)

const (
	// maxUnhealthy bounds Report.Unhealthy.
	maxUnhealthy = 20
	// maxExplained bounds the workloads whose pods one probe looks at.
	maxExplained = 20
)

// Input says what is probed.
type Input struct {
	Type v1alpha1.IntegrationType
	// Namespace is where the Integration puts things on the target.
	Namespace string
	// Objects are those of the releases, hooks excluded. Empty where somebody
	// else installed: then the components of the type are looked for in the
	// namespace, and all of them must be there.
	Objects object.ObjMetadataSet
}

// Report is what a probe found.
type Report struct {
	// State is the worst of the checks: Failed, then Unknown, Progressing,
	// Passed.
	State v1alpha1.CheckState
	// Checks are in a fixed order: objects first, then those of the type.
	Checks []v1alpha1.CheckResult
	// Unhealthy names what is not ready, the worst first; 20 at most.
	Unhealthy []v1alpha1.UnhealthyResource
}

// Probe finds out how an Integration fares on a target. It has no error: what
// could not be found out is a check that is Unknown. Two probes that find the
// same give equal reports.
func Probe(ctx context.Context, conn *cluster.Connection, in Input) Report {
	ctx, span := tracing.Start(ctx, "probe", tracing.Text("ksit.type", string(in.Type)), attribute.Int("ksit.objects", len(in.Objects)))
	defer span.End()
	p := &probe{
		reader: newReader(conn),
		in:     in,
		now:    time.Now(),
		bad:    map[object.ObjMetadata]verdict{},
	}
	var checks []v1alpha1.CheckResult
	if len(in.Objects) > 0 {
		checks = append(checks, p.objects(ctx))
	}
	switch in.Type {
	case v1alpha1.IntegrationTypeArgoCD:
		checks = append(checks, p.argocd(ctx)...)
	case v1alpha1.IntegrationTypePrometheus:
		checks = append(checks, p.prometheus(ctx)...)
	case v1alpha1.IntegrationTypeIstio:
		checks = append(checks, p.istio(ctx)...)
	case v1alpha1.IntegrationTypeFlux:
		checks = append(checks, p.flux(ctx)...)
	}
	if len(checks) == 0 {
		checks = append(checks, v1alpha1.CheckResult{
			Name:    "objects",
			State:   v1alpha1.CheckUnknown,
			Message: "nothing is known to be installed, so there is nothing to check",
		})
	}
	return Report{State: worst(checks), Checks: checks, Unhealthy: p.unhealthy()}
}

// probe is one run of Probe.
type probe struct {
	*reader
	in  Input
	now time.Time

	// missing is set when a workload of the release is not on the target: a
	// component that is not found is then missed, rather than switched off.
	missing bool

	// explained counts the workloads whose pods were looked at.
	explained int
	// bad holds what is not as it should be.
	bad map[object.ObjMetadata]verdict
}

// objects checks every object of the releases.
func (p *probe) objects(ctx context.Context) v1alpha1.CheckResult {
	const name = "objects"
	ids := p.in.Objects.Unique()
	slices.SortFunc(ids, compareIDs)
	seen := p.observe(ctx, ids)
	verdicts := make([]verdict, len(seen))
	for i, o := range seen {
		verdicts[i] = o.judge(p.conn, p.now)
		if isWorkload(o.id.GroupKind) && verdicts[i].reason == "NotFound" {
			p.missing = true
		}
	}
	p.explained += p.explain(ctx, seen, verdicts, p.now)

	ready, firstBad := 0, -1
	for i, v := range verdicts {
		if v.state == v1alpha1.CheckPassed {
			ready++
			continue
		}
		p.note(seen[i].id, v)
		if firstBad < 0 || rank(v.state) > rank(verdicts[firstBad].state) {
			firstBad = i
		}
	}
	if firstBad < 0 {
		return v1alpha1.CheckResult{Name: name, State: v1alpha1.CheckPassed, Message: fmt.Sprintf("%d of %d objects are ready", ready, len(seen))}
	}
	return v1alpha1.CheckResult{
		Name:  name,
		State: verdicts[firstBad].state,
		Message: shorten(fmt.Sprintf("%d of %d objects are ready; %s: %s",
			ready, len(seen), describe(seen[firstBad].id), verdicts[firstBad].message)),
	}
}

// note enters an object as unhealthy. The first word on it stands.
func (p *probe) note(id object.ObjMetadata, v verdict) {
	if _, found := p.bad[id]; !found {
		p.bad[id] = v
	}
}

func (p *probe) unhealthy() []v1alpha1.UnhealthyResource {
	return unhealthyList(p.bad, maxUnhealthy)
}

// unhealthyList lists the first n, the worst first, then by name.
func unhealthyList(bad map[object.ObjMetadata]verdict, n int) []v1alpha1.UnhealthyResource {
	ids := make([]object.ObjMetadata, 0, len(bad))
	for id := range bad {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b object.ObjMetadata) int {
		return cmp.Or(cmp.Compare(rank(bad[b].state), rank(bad[a].state)), compareIDs(a, b))
	})
	if len(ids) > n {
		ids = ids[:n]
	}
	var list []v1alpha1.UnhealthyResource
	for _, id := range ids {
		v := bad[id]
		list = append(list, v1alpha1.UnhealthyResource{
			Kind: id.GroupKind.Kind, Namespace: id.Namespace, Name: id.Name,
			State: v.state, Reason: v.reason, Message: v.message,
		})
	}
	return list
}

func compareIDs(a, b object.ObjMetadata) int {
	return cmp.Or(
		cmp.Compare(a.GroupKind.Kind, b.GroupKind.Kind),
		cmp.Compare(a.GroupKind.Group, b.GroupKind.Group),
		cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Name, b.Name),
	)
}

// describe names an object as a person would.
func describe(id object.ObjMetadata) string {
	if id.Namespace == "" {
		return id.GroupKind.Kind + " " + id.Name
	}
	return id.GroupKind.Kind + " " + id.Namespace + "/" + id.Name
}

func worst(checks []v1alpha1.CheckResult) v1alpha1.CheckState {
	state := v1alpha1.CheckPassed
	for _, c := range checks {
		if rank(c.State) > rank(state) {
			state = c.State
		}
	}
	return state
}
