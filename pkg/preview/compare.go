// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
)

// parallel bounds the requests of one comparison that are under way at once. The
// connection bounds those of all.
const parallel = 8

// Compare takes a plan to its target, and returns what would change. unchanged
// has the objects listed, too, that would not. It ends with ctx.
func Compare(ctx context.Context, conn *cluster.Connection, plan *Plan, unchanged bool) (*v1alpha1.InstallationDiffStatus, error) {
	c := &comparison{conn: conn, plan: plan, found: make([]finding, len(plan.Objects)+len(plan.Removed))}
	if err := c.findNamespaces(ctx); err != nil {
		return nil, err
	}
	if err := c.compareCRDs(ctx); err != nil {
		return nil, err
	}
	if err := c.compareRest(ctx); err != nil {
		return nil, err
	}
	return answer(plan, c.found, unchanged), nil
}

// compareCRDs comes first: what is known of the kinds of those that change is from
// before. They go one at a time: each can take tens of megabytes.
func (c *comparison) compareCRDs(ctx context.Context) (err error) {
	c.kinds = map[schema.GroupKind]bool{}
	for n, o := range c.plan.Objects {
		if o.Content.GroupVersionKind().GroupKind() != crdKind {
			continue
		}
		if c.found[n], err = c.applied(ctx, o); err != nil {
			return err
		}
		group, _, _ := unstructured.NestedString(o.Content.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(o.Content.Object, "spec", "names", "kind")
		if c.found[n].diff.Change != v1alpha1.DiffUnchanged {
			c.kinds[schema.GroupKind{Group: group, Kind: kind}] = true
		}
	}
	return nil
}

func (c *comparison) compareRest(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	each := func(n int, look func() (finding, error)) {
		group.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			c.found[n], err = look()
			return err
		})
	}
	for n, o := range c.plan.Objects {
		if o.Content.GroupVersionKind().GroupKind() != crdKind {
			each(n, func() (finding, error) { return c.applied(ctx, o) })
		}
	}
	for n, r := range c.plan.Removed {
		each(len(c.plan.Objects)+n, func() (finding, error) { return c.removed(ctx, r) })
	}
	return group.Wait()
}

// finding is what would become of one object.
type finding struct {
	// diff has no change where there is nothing to say of the object.
	diff v1alpha1.ObjectDiff
	kind noteKind
	// note is what there is to say besides.
	note string
}

// comparison is one run of Compare.
type comparison struct {
	conn *cluster.Connection
	plan *Plan
	// absent are the namespaces that an apply would make.
	absent map[string]bool
	// kinds are those of CRDs that would be new, or different.
	kinds map[schema.GroupKind]bool
	// found are the findings, in the order of the plan.
	found []finding

	// fresh has discovery read anew once, for a kind that is not in it.
	fresh sync.Once
}

// findNamespaces finds out which namespaces are missing that would be made: no
// dry run is possible in them.
func (c *comparison) findNamespaces(ctx context.Context) error {
	c.absent = map[string]bool{}
	for _, name := range c.plan.Namespaces {
		_, err := c.conn.Kubernetes().CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			c.absent[name] = true
		case err != nil && !apierrors.IsForbidden(err):
			return fmt.Errorf("reading the namespace %s: %w", name, err)
		}
	}
	return nil
}

// applied says what would become of an object that is applied.
func (c *comparison) applied(ctx context.Context, o Object) (finding, error) {
	obj := o.Content
	kind := obj.GroupVersionKind().GroupKind()
	f := finding{diff: v1alpha1.ObjectDiff{APIVersion: obj.GetAPIVersion(), Kind: obj.GetKind(), Namespace: obj.GetNamespace(), Name: obj.GetName()}}
	client, err := c.resource(obj.GroupVersionKind(), obj.GetNamespace())
	switch {
	case meta.IsNoMatchError(err) && c.kinds[kind]:
		f.kind = noteUnknownKind
		return f.added(o), nil
	case meta.IsNoMatchError(err):
		return f.refused("the target does not serve this kind, and no CRD of the release brings it"), nil
	case err != nil:
		return f, fmt.Errorf("asking the target for its kinds: %w", err)
	case c.absent[obj.GetNamespace()]:
		f.kind = noteAbsentNamespace
		return f.added(o), nil
	}
	live, err := client.Get(ctx, obj.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		live, err = nil, nil
	}
	if err != nil {
		return c.failed(ctx, f, fmt.Errorf("reading it: %w", err))
	}
	if live != nil && o.Left {
		f.diff.Change = v1alpha1.DiffUnchanged
		return f, nil
	}
	want, err := o.DryRun(ctx, live)
	switch {
	case err != nil && takesNoDryRun(err):
		f.kind = noteNoDryRun
		if live == nil {
			return f.added(o), nil
		}
		return f, nil
	case err != nil && c.kinds[kind] && refuses(ctx, err):
		// By the schema of before.
		f.kind = noteUnknownKind
		if live == nil {
			return f.added(o), nil
		}
		return f, nil
	case err != nil:
		return c.failed(ctx, f, err)
	case live == nil:
		if o.Settled {
			f.kind = noteDrift
		}
		return f.added(o), nil
	}
	return f.compared(o, live, want), nil
}

func (f finding) added(o Object) finding {
	f.diff.Change = v1alpha1.DiffAdded
	// What is applied, rather than what the dry run made of it: that has made up
	// addresses and ports.
	f.diff.Diff = diffText(nil, o.Content, o.Hide)
	return f
}

func (f finding) compared(o Object, live, want *unstructured.Unstructured) finding {
	before, after := cleaned(live), cleaned(want)
	if reflect.DeepEqual(before.Object, after.Object) {
		f.diff.Change = v1alpha1.DiffUnchanged
		return f
	}
	f.diff.Change = v1alpha1.DiffChanged
	f.diff.Diff = diffText(before, after, o.Hide)
	if o.Settled {
		f.kind = noteDrift
	}
	return f
}

func (f finding) refused(message string) finding {
	f.diff.Change, f.diff.Message = v1alpha1.DiffRefused, shorten(message)
	return f
}

// failed tells an object that the target refuses from a target that does not
// answer.
func (c *comparison) failed(ctx context.Context, f finding, err error) (finding, error) {
	switch {
	case ctx.Err() != nil:
		return f, ctx.Err()
	case refuses(ctx, err):
		return f.refused(err.Error()), nil
	}
	return f, fmt.Errorf("%s %s: %s", f.diff.Kind, f.diff.Name, c.conn.Explain(err).Message)
}

// refuses tells whether an error is about the object.
func refuses(ctx context.Context, err error) bool {
	if _, known := errors.AsType[*Refusal](err); known {
		return true
	}
	var status apierrors.APIStatus
	answered := errors.As(err, &status)
	return ctx.Err() == nil && answered && status.Status().Code != http.StatusTooManyRequests && status.Status().Code < http.StatusBadGateway
}

// Refusal is the error of an object that would not be applied, for a reason that
// is not the target's.
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return r.Reason }

// takesNoDryRun tells that a webhook has side effects and was not asked.
func takesNoDryRun(err error) bool { return strings.Contains(err.Error(), "does not support dry run") }

// removed says what would become of an object that is removed.
func (c *comparison) removed(ctx context.Context, r Removal) (finding, error) {
	f := finding{diff: v1alpha1.ObjectDiff{Kind: r.ID.GroupKind.Kind, Namespace: r.ID.Namespace, Name: r.ID.Name}}
	client, err := c.resource(schema.GroupVersionKind{Group: r.ID.GroupKind.Group, Kind: r.ID.GroupKind.Kind}, r.ID.Namespace)
	if meta.IsNoMatchError(err) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("asking the target for its kinds: %w", err)
	}
	live, err := client.Get(ctx, r.ID.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return f, nil
	}
	if err != nil {
		return c.failed(ctx, f, fmt.Errorf("reading it: %w", err))
	}
	f.diff.APIVersion = live.GetAPIVersion()
	if r.Stays != nil {
		if why := r.Stays(live); why != "" {
			f.note = fmt.Sprintf("%s %s stays: %s", f.diff.Kind, f.diff.Name, why)
			return f, nil
		}
	}
	f.diff.Change = v1alpha1.DiffRemoved
	f.diff.Diff = diffText(cleaned(live), nil, r.Hide)
	return f, nil
}

// resource returns the client for objects of a kind, in any version where none is
// given.
func (c *comparison) resource(gvk schema.GroupVersionKind, namespace string) (dynamic.ResourceInterface, error) {
	var versions []string
	if gvk.Version != "" {
		versions = []string{gvk.Version}
	}
	mapping, err := c.conn.RESTMapper().RESTMapping(gvk.GroupKind(), versions...)
	if meta.IsNoMatchError(err) {
		c.fresh.Do(c.conn.RESTMapper().Reset)
		mapping, err = c.conn.RESTMapper().RESTMapping(gvk.GroupKind(), versions...)
	}
	if err != nil {
		return nil, err
	}
	client := c.conn.Dynamic().Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return client.Namespace(namespace), nil
	}
	return client, nil
}
