// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"fmt"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Request is what somebody asks for by creating it at a subresource.
type Request interface {
	runtime.Object
	metav1.Object
}

// Ask enters a request into the object that it is made of: a copy, which is
// stored afterwards. It is called again after a conflict.
type Ask[R Request] func(ctx context.Context, object runtime.Object, request R, record ksit.OperationRequestStatus) error

// RequestREST serves a subresource at which somebody asks for something to be
// done with an object. The answer is the record of the request, at once: it is
// for a controller to carry it out.
type RequestREST[R Request] struct {
	store  *genericregistry.Store
	fresh  func() R
	status func(R) *ksit.OperationRequestStatus
	ask    Ask[R]
}

var (
	_ rest.Storage      = &RequestREST[*ksit.ReconcileRequest]{}
	_ rest.NamedCreater = &RequestREST[*ksit.ReconcileRequest]{}
)

// NewReconcileREST serves requests to reconcile the objects of a completed store,
// which are written by its strategy.
func NewReconcileREST(store *genericregistry.Store, ask Ask[*ksit.ReconcileRequest]) *RequestREST[*ksit.ReconcileRequest] {
	return &RequestREST[*ksit.ReconcileRequest]{
		store: store, ask: ask,
		fresh:  func() *ksit.ReconcileRequest { return &ksit.ReconcileRequest{} },
		status: func(r *ksit.ReconcileRequest) *ksit.OperationRequestStatus { return &r.Status },
	}
}

// NewRollbackREST serves requests to roll back the objects of a store.
func NewRollbackREST(store *genericregistry.Store, ask Ask[*ksit.RollbackRequest]) *RequestREST[*ksit.RollbackRequest] {
	return &RequestREST[*ksit.RollbackRequest]{
		store: store, ask: ask,
		fresh:  func() *ksit.RollbackRequest { return &ksit.RollbackRequest{} },
		status: func(r *ksit.RollbackRequest) *ksit.OperationRequestStatus { return &r.Status },
	}
}

// New returns an empty request.
func (r *RequestREST[R]) New() runtime.Object { return r.fresh() }

// Destroy does nothing: the storage belongs to the REST of the kind.
func (r *RequestREST[R]) Destroy() {}

// Create takes a request, and answers with its record.
func (r *RequestREST[R]) Create(ctx context.Context, name string, obj runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	request, ok := obj.(R)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("got a %T, want a %T", obj, r.fresh()))
	}
	if given := request.GetName(); given != "" && given != name {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("metadata.name is %s, and the address says %s", given, name))
	}
	if validate != nil {
		if err := validate(ctx, obj.DeepCopyObject()); err != nil {
			return nil, err
		}
	}
	record := ksit.OperationRequestStatus{ID: string(uuid.NewUUID()), RequestedBy: User(ctx), RequestedAt: metav1.Now().Rfc3339Copy()}
	entered := func(_ context.Context, _, stored runtime.Object) (runtime.Object, error) {
		object := stored.DeepCopyObject()
		return object, r.ask(ctx, object, request, record)
	}
	updated, _, err := r.store.Update(ctx, name, rest.DefaultUpdatedObjectInfo(nil, entered),
		rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, false, &metav1.UpdateOptions{DryRun: options.DryRun})
	if err != nil {
		return nil, err
	}
	of, err := meta.Accessor(updated)
	if err != nil {
		return nil, err
	}
	answer := request.DeepCopyObject().(R)
	*r.status(answer) = record
	answer.SetName(of.GetName())
	answer.SetNamespace(of.GetNamespace())
	answer.SetUID(of.GetUID())
	answer.SetResourceVersion(of.GetResourceVersion())
	return answer, nil
}

// AskByAnnotation asks for a reconcile as `kubectl annotate` does: the strategy
// notes who it was.
func AskByAnnotation(object metav1.Object, id string) {
	annotations := maps.Clone(object.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.AnnotationReconcile] = id
	object.SetAnnotations(annotations)
}

// Refuse is the error of a request that cannot be carried out as things are.
func Refuse(kind, name, format string, args ...any) error {
	return apierrors.NewConflict(ksit.Resource(kind), name, fmt.Errorf(format, args...))
}
