// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"ksit.io/ksit/pkg/installer/helm/render"
)

// LookupPolicy says what the function lookup of templates finds on the target. It
// reads with the rights of the target's kubeconfig, which are mostly more than
// those of whoever chose the chart.
type LookupPolicy string

const (
	// LookupNone finds nothing, as with `helm template`.
	LookupNone LookupPolicy = "None"
	// LookupRelease finds the objects of the release itself. That is enough for
	// charts that keep a password which they made at their first install.
	LookupRelease LookupPolicy = "Release"
	// LookupAll finds everything that the kubeconfig may read.
	LookupAll LookupPolicy = "All"
)

// maxLookupItems bounds a list.
const maxLookupItems = 1000

// lookup answers a template. What there is not, or may not be seen, is nil; so is
// a kind that the target does not serve, which may come with the chart itself.
func (o *operation) lookup(ctx context.Context, q render.Query) (map[string]any, error) {
	gvk := schema.FromAPIVersionAndKind(q.APIVersion, q.Kind)
	mapping, err := o.conn.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking up the kind %s: %w", gvk.GroupKind(), err)
	}
	namespaced := mapping.Scope.Name() != meta.RESTScopeNameRoot
	resource := o.conn.Dynamic().Resource(mapping.Resource)
	var found map[string]any
	switch {
	case q.Name != "" && namespaced && q.Namespace == "":
		return nil, nil
	case q.Name != "" && namespaced:
		found, err = o.lookUpOne(ctx, resource.Namespace(q.Namespace), q.Name)
	case q.Name != "":
		found, err = o.lookUpOne(ctx, resource, q.Name)
	case namespaced && o.lookups == LookupRelease && q.Namespace != "" && q.Namespace != o.release.Namespace:
		return nil, nil
	case namespaced && o.lookups == LookupRelease:
		found, err = o.lookUpAll(ctx, resource.Namespace(o.release.Namespace))
	case namespaced:
		found, err = o.lookUpAll(ctx, resource.Namespace(q.Namespace))
	default:
		found, err = o.lookUpAll(ctx, resource)
	}
	if apierrors.IsNotFound(err) || o.lookups == LookupRelease && apierrors.IsForbidden(err) {
		return nil, nil
	}
	return found, err
}

func (o *operation) lookUpOne(ctx context.Context, client dynamic.ResourceInterface, name string) (map[string]any, error) {
	obj, err := client.Get(ctx, name, metav1.GetOptions{})
	if err != nil || !o.maySee(obj) {
		return nil, err
	}
	return obj.UnstructuredContent(), nil
}

func (o *operation) lookUpAll(ctx context.Context, client dynamic.ResourceInterface) (map[string]any, error) {
	options := metav1.ListOptions{Limit: maxLookupItems}
	if o.lookups == LookupRelease {
		// Helm puts it on all that it applies.
		options.LabelSelector = labelManagedBy + "=Helm"
	}
	list, err := client.List(ctx, options)
	if err != nil {
		return nil, err
	}
	if list.GetContinue() != "" {
		return nil, fmt.Errorf("there are more than %d", maxLookupItems)
	}
	seen := list.Items[:0]
	for n := range list.Items {
		if o.maySee(&list.Items[n]) {
			seen = append(seen, list.Items[n])
		}
	}
	list.Items = seen
	return list.UnstructuredContent(), nil
}

// maySee tells whether templates may see an object of the target.
func (o *operation) maySee(obj *unstructured.Unstructured) bool {
	if o.lookups == LookupAll {
		return true
	}
	annotations := obj.GetAnnotations()
	return o.lookups == LookupRelease && obj.GetLabels()[labelManagedBy] == "Helm" &&
		annotations[annotationReleaseName] == o.release.Name && annotations[annotationReleaseNamespace] == o.release.Namespace
}
