// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// DiffREST answers what an apply would change. It stores nothing.
type DiffREST struct {
	installations resource.Versioned[v1alpha1.Installation]
	integrations  *resource.REST
	strategy      rest.RESTUpdateStrategy
	scheme        *runtime.Scheme
	prober        Prober
}

var (
	_ rest.Storage      = &DiffREST{}
	_ rest.NamedCreater = &DiffREST{}
)

// NewDiff serves the subresource diff of what a storage holds. strategy is that
// of Integrations: a candidate is made as a change of one would be.
func NewDiff(storage *Storage, integrations *resource.REST, strategy rest.RESTUpdateStrategy, scheme *runtime.Scheme, prober Prober) *DiffREST {
	return &DiffREST{
		installations: resource.NewVersioned[v1alpha1.Installation](storage.Installation.Store, scheme),
		integrations:  integrations, strategy: strategy, scheme: scheme, prober: prober,
	}
}

// New returns an empty object of the kind.
func (r *DiffREST) New() runtime.Object { return &ksit.InstallationDiff{} }

// Destroy does nothing: there is no storage.
func (r *DiffREST) Destroy() {}

// Create answers a question about the Installation of a name.
func (r *DiffREST) Create(ctx context.Context, name string, obj runtime.Object, validate rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	diff, ok := obj.(*ksit.InstallationDiff)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("not an InstallationDiff: %T", obj))
	}
	if diff.Name != "" && diff.Name != name {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("metadata.name is %q, and the path names %q: leave it out", diff.Name, name))
	}
	diff.Name, diff.Status = name, ksit.InstallationDiffStatus{}
	if validate != nil {
		if err := validate(ctx, diff.DeepCopy()); err != nil {
			return nil, err
		}
	}
	installation, err := r.installations.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	candidate, err := r.candidate(ctx, installation, diff.Spec.Integration)
	if err != nil {
		return nil, err
	}
	found, err := r.prober.Diff(ctx, installation, candidate, diff.Spec.Unchanged)
	if err != nil {
		return nil, err
	}
	status, err := resource.Convert[ksit.InstallationDiffStatus](r.scheme, found)
	if err != nil {
		return nil, err
	}
	diff.Namespace, diff.Status = installation.Namespace, *status
	// Who set which field is of no use in what is not stored.
	diff.ManagedFields = nil
	return diff, nil
}

// candidate is the Integration that the Installation is asked to be compared
// with: the stored one, or what it would be with another spec.
func (r *DiffREST) candidate(ctx context.Context, installation *v1alpha1.Installation, posted *ksit.IntegrationSpec) (*v1alpha1.Integration, error) {
	object, err := r.integrations.Get(ctx, installation.Spec.Integration, &metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, apierrors.NewConflict(ksit.Resource("installations"), installation.Name,
			fmt.Errorf("there is no Integration %s any more: the Installation is on its way out", installation.Spec.Integration))
	}
	if err != nil {
		return nil, err
	}
	stored := object.(*ksit.Integration)
	candidate := stored.DeepCopy()
	if posted != nil {
		if posted.Type != "" {
			candidate.Spec.Type = posted.Type
		}
		candidate.Spec.AutoInstall, candidate.Spec.Config = posted.AutoInstall.DeepCopy(), posted.Config
		r.strategy.PrepareForUpdate(ctx, candidate, stored)
		if errs := r.strategy.ValidateUpdate(ctx, candidate, stored); len(errs) > 0 {
			for _, err := range errs {
				err.Field = "spec.integration" + strings.TrimPrefix(err.Field, "spec")
			}
			return nil, apierrors.NewInvalid(ksit.Kind("InstallationDiff"), installation.Name, errs)
		}
	}
	return resource.Convert[v1alpha1.Integration](r.scheme, candidate)
}
