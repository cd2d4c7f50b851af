// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"fmt"
	"sync"

	"github.com/fluxcd/cli-utils/pkg/object"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const pageSize = 500

// sight is the metadata of objects on the target.
type sight map[object.ObjMetadata]*metav1.PartialObjectMetadata

// observe looks for objects that carry labels of KSIT, whosesoever. What lacks
// them is not in the answer, whether it exists or not. Objects of one kind and
// namespace cost one request together.
func (r *release) observe(ctx context.Context, refs object.ObjMetadataSet) (sight, error) {
	type place struct {
		kind      schema.GroupKind
		namespace string
	}
	places := map[place]map[string]bool{}
	for _, ref := range refs {
		at := place{ref.GroupKind, ref.Namespace}
		if places[at] == nil {
			places[at] = map[string]bool{}
		}
		places[at][ref.Name] = true
	}
	seen := sight{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for at, names := range places {
		resource, err := r.resource(at.kind, at.namespace)
		if meta.IsNoMatchError(err) {
			continue // Without the kind there are no objects of it.
		}
		if err != nil {
			return nil, err
		}
		group.Go(func() error {
			options := metav1.ListOptions{LabelSelector: v1alpha1.LabelIntegration, Limit: pageSize}
			for {
				list, err := resource.List(ctx, options)
				if apierrors.IsNotFound(err) {
					return nil // The kind went with its CRD since it was looked up.
				}
				if err != nil {
					return fmt.Errorf("listing the objects of kind %s in namespace %q: %w", at.kind, at.namespace, err)
				}
				mu.Lock()
				for i := range list.Items {
					if item := &list.Items[i]; names[item.Name] {
						seen[object.ObjMetadata{GroupKind: at.kind, Namespace: at.namespace, Name: item.Name}] = item
					}
				}
				mu.Unlock()
				if options.Continue = list.Continue; options.Continue == "" {
					return nil
				}
			}
		})
	}
	return seen, group.Wait()
}

// resource returns the client for a kind in a namespace, or for one that is in
// none.
func (r *release) resource(gk schema.GroupKind, namespace string, versions ...string) (metadata.ResourceInterface, error) {
	mapping, err := r.kinds.mapping(gk, versions...)
	if err != nil {
		return nil, err
	}
	all := r.conn.Metadata().Resource(mapping.Resource)
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return all, nil
	}
	return all.Namespace(namespace), nil
}

// ours tells whether metadata name the owner of this release.
func (r *release) ours(m *metav1.PartialObjectMetadata) bool {
	owner, found := ownerOf(m.Labels)
	return found && owner == r.owner
}
