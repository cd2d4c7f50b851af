// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/object"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const (
	labelApp       = "app"
	labelName      = "app.kubernetes.io/name"
	labelComponent = "app.kubernetes.io/component"
	labelPartOf    = "app.kubernetes.io/part-of"
)

// component is a part of a type that runs as one or more workloads.
type component struct {
	// name is that of the check.
	name string
	// optional components are checked when they are there.
	optional bool
	// match picks its workloads out of those of the namespace.
	match func(*unstructured.Unstructured) bool
}

// maxNamespaces bounds the namespaces in which components are looked for.
const maxNamespaces = 4

// namespaces returns where the components are looked for: the namespace of the
// Integration, and others that workloads of its releases are in, since a chart
// or a manifest may name its own.
func (p *probe) namespaces() []string {
	found := sets.New[string]()
	for _, id := range p.in.Objects {
		if isWorkload(id.GroupKind) && id.Namespace != "" && id.Namespace != p.in.Namespace {
			found.Insert(id.Namespace)
		}
	}
	others := sets.List(found)
	if len(others) > maxNamespaces-1 {
		others = others[:maxNamespaces-1]
	}
	return append([]string{p.in.Namespace}, others...)
}

// every returns the objects of the kinds in the namespaces, in order. It
// returns what it could read together with the first error for what it could
// not.
func (p *probe) every(ctx context.Context, kinds ...schema.GroupKind) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	var failure error
	for _, namespace := range p.namespaces() {
		for _, kind := range kinds {
			list := p.list(ctx, kind, namespace, false)
			if list.err != nil {
				failure = cmp.Or(failure, list.err)
				continue
			}
			all = append(all, list.objects...)
		}
	}
	return all, failure
}

func (p *probe) workloads(ctx context.Context) ([]*unstructured.Unstructured, error) {
	return p.every(ctx, deploymentKind, statefulSetKind, daemonSetKind)
}

// components checks each component by its workloads.
func (p *probe) components(ctx context.Context, components ...component) []v1alpha1.CheckResult {
	workloads, err := p.workloads(ctx)
	var checks []v1alpha1.CheckResult
	for _, c := range components {
		var own []*unstructured.Unstructured
		for _, w := range workloads {
			if c.match(w) {
				own = append(own, w)
			}
		}
		switch {
		case len(own) > 0:
			checks = append(checks, p.ready(ctx, c.name, own))
		case c.optional:
		case err != nil:
			checks = append(checks, result(c.name, unread(p.conn, object.ObjMetadata{GroupKind: deploymentKind}, err)))
		default:
			checks = append(checks, p.absent(c.name))
		}
	}
	return checks
}

// absent is the result for a component of which nothing was found. Where KSIT
// knows what is installed, and all of its workloads are there, it is the values
// of the chart that leave the component out.
func (p *probe) absent(name string) v1alpha1.CheckResult {
	if len(p.in.Objects) > 0 && !p.missing {
		return result(name, passed("is not part of what is installed"))
	}
	return result(name, failed("NotFound", "not found in namespace %s", strings.Join(p.namespaces(), ", ")))
}

// ready is the result for a component with workloads.
func (p *probe) ready(ctx context.Context, name string, workloads []*unstructured.Unstructured) v1alpha1.CheckResult {
	worst := verdict{state: v1alpha1.CheckPassed}
	var names []string
	for _, w := range workloads {
		id := idOf(w)
		v := p.verdictOn(ctx, w)
		if rank(v.state) > rank(worst.state) {
			worst = v
			worst.message = describe(id) + ": " + v.message
		}
		names = append(names, describe(id))
	}
	if worst.state == v1alpha1.CheckPassed {
		slices.Sort(names)
		worst.message = "ready: " + strings.Join(names, ", ")
	}
	return result(name, worst)
}

// verdictOn judges a workload, and enters it as unhealthy if it is. What was
// found out before in this probe is not found out again.
func (p *probe) verdictOn(ctx context.Context, w *unstructured.Unstructured) verdict {
	id := idOf(w)
	if v, known := p.bad[id]; known {
		return v
	}
	v := evaluate(w, p.now)
	if v.state == v1alpha1.CheckPassed {
		return v
	}
	if p.explained < maxExplained {
		p.explained++
		v = p.explainWorkload(ctx, w, v, p.now)
	}
	if v.state != v1alpha1.CheckPassed {
		p.bad[id] = v
	}
	return v
}

// definitions checks that CRDs are there and served.
func (p *probe) definitions(ctx context.Context, names ...string) v1alpha1.CheckResult {
	ids := make(object.ObjMetadataSet, len(names))
	for i, name := range names {
		ids[i] = object.ObjMetadata{GroupKind: crdKind, Name: name}
	}
	seen := p.observe(ctx, ids)
	worst := passed(fmt.Sprintf("all %d are established", len(names)))
	for _, o := range seen {
		v := o.judge(p.conn, p.now)
		if v.state == v1alpha1.CheckPassed {
			continue
		}
		p.note(o.id, v)
		if rank(v.state) > rank(worst.state) {
			worst = v
			worst.message = o.id.Name + ": " + v.message
		}
	}
	return result("crds", worst)
}

func result(name string, v verdict) v1alpha1.CheckResult {
	return v1alpha1.CheckResult{Name: name, State: v.state, Message: shorten(v.message)}
}

func idOf(u *unstructured.Unstructured) object.ObjMetadata {
	return object.ObjMetadata{GroupKind: u.GroupVersionKind().GroupKind(), Namespace: u.GetNamespace(), Name: u.GetName()}
}

// labelled returns a match for workloads that have one of the values.
func labelled(label string, values ...string) func(*unstructured.Unstructured) bool {
	return func(u *unstructured.Unstructured) bool { return slices.Contains(values, u.GetLabels()[label]) }
}

// either returns a match for workloads that one of the matches takes.
func either(matches ...func(*unstructured.Unstructured) bool) func(*unstructured.Unstructured) bool {
	return func(u *unstructured.Unstructured) bool {
		for _, match := range matches {
			if match(u) {
				return true
			}
		}
		return false
	}
}

// imaged returns a match for workloads one of whose containers runs the image
// of that name, from whatever registry.
func imaged(name string) func(*unstructured.Unstructured) bool {
	return func(u *unstructured.Unstructured) bool {
		containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
		for _, c := range containers {
			if m, ok := c.(map[string]any); ok {
				if image, _ := m["image"].(string); imageName(image) == name {
					return true
				}
			}
		}
		return false
	}
}

// imageName returns the last part of an image's path, without tag and digest.
func imageName(image string) string {
	image, _, _ = strings.Cut(image, "@")
	image = image[strings.LastIndex(image, "/")+1:]
	image, _, _ = strings.Cut(image, ":")
	return image
}
