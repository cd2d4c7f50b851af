// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"sync"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/cluster"
)

// From how many objects of one kind and namespace on a list is read rather than
// each by itself. What is not namespaced is shared with the whole cluster, and
// so is its list.
const (
	listFrom        = 3
	listFromCluster = 12
)

// observation is what a reading of one object gave.
type observation struct {
	id object.ObjMetadata
	// object is nil for inert kinds.
	object *unstructured.Unstructured
	err    error
}

// observe reads the objects, in the order given.
func (r *reader) observe(ctx context.Context, ids object.ObjMetadataSet) []observation {
	type group struct {
		kind      schema.GroupKind
		namespace string
	}
	groups := map[group][]int{}
	for i, id := range ids {
		g := group{id.GroupKind, id.Namespace}
		groups[g] = append(groups[g], i)
	}

	seen := make([]observation, len(ids))
	var wg sync.WaitGroup
	// As many at work as may have a request under way: a release can have
	// thousands of objects.
	workers := make(chan struct{}, parallelism)
	for g, members := range groups {
		wg.Go(func() {
			threshold := listFrom
			if g.namespace == "" {
				threshold = listFromCluster
			}
			inert := isInert(g.kind) || g.kind == crdKind
			var list *listing
			if len(members) >= threshold && (inert || isBuiltIn(g.kind)) || g.kind == crdKind {
				list = r.list(ctx, g.kind, g.namespace, inert)
			}
			var each sync.WaitGroup
			for _, i := range members {
				seen[i].id = ids[i]
				if list != nil && list.err == nil {
					o, found := list.byName[ids[i].Name]
					// A CRD that is there and not served is read, to see why.
					if found && (g.kind != crdKind || r.served(ids[i].Name)) {
						seen[i].object = o
						continue
					}
				}
				workers <- struct{}{}
				each.Go(func() {
					defer func() { <-workers }()
					if inert && g.kind != crdKind {
						_, seen[i].err = r.exists(ctx, ids[i])
					} else {
						seen[i].object, seen[i].err = r.get(ctx, ids[i])
					}
				})
			}
			each.Wait()
		})
	}
	wg.Wait()
	return seen
}

// each reads the objects one by one, at once as many as may be.
func (r *reader) each(ctx context.Context, ids []object.ObjMetadata) []observation {
	return fanOut(ids, func(id object.ObjMetadata) (o observation) {
		o.object, o.err = r.get(ctx, id)
		return o
	})
}

// heads reads the metadata of the objects.
func (r *reader) heads(ctx context.Context, ids []object.ObjMetadata) []observation {
	return fanOut(ids, func(id object.ObjMetadata) (o observation) {
		head, err := r.exists(ctx, id)
		if o.err = err; err == nil {
			o.object = &unstructured.Unstructured{Object: map[string]any{}}
			o.object.SetDeletionTimestamp(head.DeletionTimestamp)
			o.object.SetFinalizers(head.Finalizers)
		}
		return o
	})
}

func fanOut(ids []object.ObjMetadata, read func(object.ObjMetadata) observation) []observation {
	seen := make([]observation, len(ids))
	var wg sync.WaitGroup
	for worker := range min(parallelism, len(ids)) {
		wg.Go(func() {
			for i := worker; i < len(ids); i += parallelism {
				seen[i] = read(ids[i])
				seen[i].id = ids[i]
			}
		})
	}
	wg.Wait()
	return seen
}

// judge gives the verdict on an observation, by the object alone.
func (o observation) judge(conn *cluster.Connection, now time.Time) verdict {
	switch {
	case o.err != nil:
		return unread(conn, o.id, o.err)
	case o.object == nil:
		return passed("is there")
	default:
		return evaluate(o.object, now)
	}
}

// unread says what an error means for the object that was asked for.
func unread(conn *cluster.Connection, id object.ObjMetadata, err error) verdict {
	switch {
	case apierrors.IsNotFound(err) && id.GroupKind == jobKind:
		// A Job may be removed when it is done.
		return passed("is no longer there")
	case apierrors.IsNotFound(err):
		return failed("NotFound", "does not exist on the cluster")
	case meta.IsNoMatchError(err):
		return failed("KindNotServed", "the cluster does not serve the kind %s: is its CRD installed?", id.GroupKind)
	case apierrors.IsForbidden(err):
		return unknown("Forbidden", "the credentials of the target may not read it")
	}
	finding := conn.Explain(err)
	if finding.Status == metav1.ConditionTrue {
		return unknown("Unreadable", "the API server refused to show it: %s", finding.Reason)
	}
	return unknown(finding.Reason, "%s", finding.Message)
}
