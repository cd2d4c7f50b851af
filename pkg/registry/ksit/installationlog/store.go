// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installationlog

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// deleteTimeout bounds the deletion of a log with its Installation.
const deleteTimeout = 5 * time.Second

// Store keeps the logs.
type Store struct{ store *genericregistry.Store }

// NewStore connects to the storage of logs. Whoever calls it calls Destroy in
// the end.
func NewStore(typer runtime.ObjectTyper, getter generic.RESTOptionsGetter) (*Store, error) {
	governs := strategy{Strategy: resource.NewStrategy(typer)}
	store := &genericregistry.Store{
		NewFunc: func() runtime.Object { return &ksit.InstallationLog{} },
		// Nobody lists logs.
		NewListFunc: func() runtime.Object { return &metav1.List{} },
		PredicateFunc: func(label labels.Selector, field fields.Selector) storage.SelectionPredicate {
			return storage.SelectionPredicate{Label: label, Field: field, GetAttrs: getAttrs}
		},
		DefaultQualifiedResource:  ksit.Resource("installationlogs"),
		SingularQualifiedResource: ksit.Resource("installationlog"),
		CreateStrategy:            governs,
		UpdateStrategy:            governs,
		DeleteStrategy:            governs,
		TableConvertor:            rest.NewDefaultTableConvertor(ksit.Resource("installationlogs")),
	}
	options := &generic.StoreOptions{RESTOptions: uncached{getter}, AttrFunc: getAttrs}
	if err := store.CompleteWithOptions(options); err != nil {
		return nil, fmt.Errorf("making the store of logs: %w", err)
	}
	return &Store{store: store}, nil
}

// uncached leaves out the watch cache: see the package.
type uncached struct{ generic.RESTOptionsGetter }

func (u uncached) GetRESTOptions(resource schema.GroupResource, example runtime.Object) (generic.RESTOptions, error) {
	options, err := u.RESTOptionsGetter.GetRESTOptions(resource, example)
	options.Decorator = generic.UndecoratedStorage
	return options, err
}

// Destroy ends the connection to the storage.
func (s *Store) Destroy() { s.store.Destroy() }

// Append adds lines to the log of an Installation, and returns the log. One that
// was left by an earlier Installation of the same name begins anew.
func (s *Store) Append(ctx context.Context, installation *ksit.Installation, lines []ksit.LogLine, options *metav1.CreateOptions) (*ksit.InstallationLog, error) {
	added := func(_ context.Context, _, stored runtime.Object) (runtime.Object, error) {
		log := stored.DeepCopyObject().(*ksit.InstallationLog)
		if log.Name == "" || !belongs(log, installation) {
			log = &ksit.InstallationLog{ObjectMeta: metav1.ObjectMeta{
				Name: installation.Name, Namespace: installation.Namespace, ResourceVersion: log.ResourceVersion,
				UID: log.UID, CreationTimestamp: log.CreationTimestamp,
				OwnerReferences: []metav1.OwnerReference{{
					APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "Installation", Name: installation.Name, UID: installation.UID,
				}},
			}}
		}
		appendLines(log, lines, time.Now())
		return log, nil
	}
	written, _, err := s.store.Update(ctx, installation.Name, rest.DefaultUpdatedObjectInfo(nil, added),
		rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, true, &metav1.UpdateOptions{DryRun: options.DryRun})
	if err != nil {
		return nil, err
	}
	return written.(*ksit.InstallationLog), nil
}

// belongs tells whether a log is that of an Installation, rather than of an
// earlier one of the same name.
func belongs(log *ksit.InstallationLog, installation *ksit.Installation) bool {
	return len(log.OwnerReferences) == 1 && log.OwnerReferences[0].UID == installation.UID
}

// read returns the log of an Installation, an empty one where nothing was said
// yet.
func (s *Store) read(ctx context.Context, installation *ksit.Installation) (*ksit.InstallationLog, error) {
	object, err := s.store.Get(ctx, installation.Name, &metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return &ksit.InstallationLog{}, nil
	}
	if err != nil {
		return nil, err
	}
	log := object.(*ksit.InstallationLog)
	if !belongs(log, installation) {
		return &ksit.InstallationLog{}, nil
	}
	return log, nil
}

// watch tells of every change of a log since a version of it; where that is
// empty, first of how it is. It ends with ctx.
func (s *Store) watch(ctx context.Context, name, since string) (watch.Interface, error) {
	only := s.store.PredicateFunc(labels.Everything(), fields.OneTermEqualSelector(metav1.ObjectNameField, name))
	return s.store.WatchPredicate(ctx, only, since, nil)
}

// Delete removes the log of an Installation that is gone. It is called after the
// deletion, which nothing may fail any more: a log that stays behind is taken for
// nobody else's.
func (s *Store) Delete(obj runtime.Object, options *metav1.DeleteOptions) {
	installation, ok := obj.(*ksit.Installation)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), deleteTimeout)
	defer cancel()
	ctx = genericapirequest.WithNamespace(ctx, installation.Namespace)
	var dryRun []string
	if options != nil {
		dryRun = options.DryRun
	}
	_, _, err := s.store.Delete(ctx, installation.Name, rest.ValidateAllObjectFunc, &metav1.DeleteOptions{DryRun: dryRun})
	if err != nil && !apierrors.IsNotFound(err) {
		klog.FromContext(ctx).Error(err, "Deleting the log of an Installation", "namespace", installation.Namespace, "installation", installation.Name)
	}
}
