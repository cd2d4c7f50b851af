// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/registry/ksit/internal/registrytest"
)

func as(name string) context.Context {
	return genericapirequest.WithUser(registrytest.Context("team-a"), &user.DefaultInfo{Name: name})
}

// installed stores an Installation of which something is installed.
func installed(t *testing.T, storage *Storage, mutate ...func(*ksit.Installation)) *ksit.Installation {
	t.Helper()
	installation := validInstallation("argocd.prod-1")
	installation.Spec.AutoInstall = &ksit.AutoInstall{Enabled: true, Method: ksit.InstallMethodHelm,
		CRDPolicy: ksit.CRDPolicyCreateReplace, DeletionPolicy: ksit.DeletionPolicyDelete, AdoptionPolicy: ksit.AdoptionPolicyAdopt,
		HelmConfig: &ksit.HelmConfig{Repository: "https://example.com", Chart: "argo-cd", Version: "1.0.0", ReleaseName: "argocd"}}
	for _, m := range mutate {
		m(installation)
	}
	created, err := storage.Installation.Create(as("controller"), installation, rest.ValidateAllObjectFunc, &metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	with := created.(*ksit.Installation).DeepCopy()
	with.Status.Releases = []ksit.ReleaseStatus{{Name: "base", Namespace: "argocd"}, {Name: "argocd", Namespace: "argocd"}}
	return put(t, storage.Status, with)
}

func rollback(release string, revision int64) *ksit.RollbackRequest {
	return &ksit.RollbackRequest{Spec: ksit.RollbackRequestSpec{Release: release, Revision: revision}}
}

func TestRollbackIsRecorded(t *testing.T) {
	storage := newStorage(t, registrytest.New(t))
	before := installed(t, storage)
	answer, err := storage.Rollback.Create(as("alice"), before.Name, rollback("argocd", 3), rest.ValidateAllObjectFunc, &metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	record := answer.(*ksit.RollbackRequest)
	if record.Status.ID == "" || record.Status.RequestedBy != "alice" || record.Status.RequestedAt.IsZero() || record.Name != before.Name {
		t.Errorf("answered %+v", record)
	}
	after := get(t, storage)
	want := &ksit.OperationRequest{ID: record.Status.ID, Type: ksit.OperationRollback, Release: "argocd", Revision: 3,
		RequestedBy: "alice", RequestedAt: record.Status.RequestedAt}
	if diff := cmp.Diff(want, after.Spec.Operation); diff != "" {
		t.Errorf("spec.operation (-want +got)\n%s", diff)
	}
	if after.Generation != before.Generation+1 {
		t.Errorf("generation %d after %d", after.Generation, before.Generation)
	}
	if o := after.Status.Operations; len(o) != 1 || o[0].ID != record.Status.ID || o[0].Outcome != ksit.OperationPending {
		t.Errorf("status.operations is %+v", o)
	}

	// A newer request takes its place.
	newer, err := storage.Reconcile.Create(as("bob"), before.Name, &ksit.ReconcileRequest{}, nil, &metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o := get(t, storage).Status.Operations
	if len(o) != 2 || o[0].ID != newer.(*ksit.ReconcileRequest).Status.ID || o[1].Outcome != ksit.OperationSuperseded ||
		!strings.Contains(o[1].Message, "bob") || o[1].FinishedAt == nil {
		t.Errorf("status.operations is %+v", o)
	}
}

func TestRequestsAreBounded(t *testing.T) {
	storage := newStorage(t, registrytest.New(t))
	name := installed(t, storage).Name
	// At once: each is entered, conflicts or not.
	var all sync.WaitGroup
	for n := range v1alpha1.MaxOperations + 5 {
		all.Go(func() {
			if _, err := storage.Reconcile.Create(as(fmt.Sprintf("user-%d", n)), name, &ksit.ReconcileRequest{}, nil, &metav1.CreateOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	after := get(t, storage)
	if n := len(after.Status.Operations); n != v1alpha1.MaxOperations {
		t.Errorf("%d operations are kept", n)
	}
	if after.Generation != 1+v1alpha1.MaxOperations+5 {
		t.Errorf("generation is %d", after.Generation)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	disabled := func(i *ksit.Installation) { i.Spec.Enabled = false }
	probed := func(i *ksit.Installation) { i.Spec.AutoInstall.Enabled = false }
	fresh := func(i *ksit.Installation) { i.Finalizers = []string{"fresh"} }
	leaves := func(i *ksit.Installation) { i.Finalizers = []string{v1alpha1.FinalizerUninstall} }
	for name, tc := range map[string]struct {
		mutate  func(*ksit.Installation)
		request *ksit.RollbackRequest
		is      func(error) bool
		message string
	}{
		"negative revision": {request: rollback("", -1), is: apierrors.IsInvalid, message: "spec.revision"},
		"no name":           {request: rollback("No Name", 1), is: apierrors.IsInvalid, message: "spec.release"},
		"unknown release":   {request: rollback("other", 1), is: apierrors.IsInvalid, message: `supported values: "base", "argocd"`},
		"disabled":          {mutate: disabled, request: rollback("", 1), is: apierrors.IsConflict, message: "spec.enabled"},
		"only probed":       {mutate: probed, request: rollback("", 1), is: apierrors.IsConflict, message: "autoInstall.enabled"},
		"nothing installed": {mutate: fresh, request: rollback("", 1), is: apierrors.IsConflict, message: "nothing has been installed"},
		"being deleted":     {mutate: leaves, request: rollback("", 1), is: apierrors.IsConflict, message: "uninstalled"},
		"other name": {request: &ksit.RollbackRequest{ObjectMeta: metav1.ObjectMeta{Name: "other"}},
			is: apierrors.IsBadRequest, message: "metadata.name"},
	} {
		t.Run(name, func(t *testing.T) {
			storage := newStorage(t, registrytest.New(t))
			if tc.mutate == nil {
				tc.mutate = func(*ksit.Installation) {}
			}
			i := installed(t, storage, tc.mutate)
			switch name {
			case "nothing installed":
				i.Status.Releases = nil
				put(t, storage.Status, i)
			case "being deleted":
				if _, _, err := storage.Installation.Delete(as("alice"), i.Name, rest.ValidateAllObjectFunc, &metav1.DeleteOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			before := get(t, storage)
			_, err := storage.Rollback.Create(as("alice"), i.Name, tc.request, rest.ValidateAllObjectFunc, &metav1.CreateOptions{})
			if !tc.is(err) || !strings.Contains(err.Error(), tc.message) {
				t.Errorf("got %v, want one with %q", err, tc.message)
			}
			if after := get(t, storage); after.ResourceVersion != before.ResourceVersion {
				t.Error("it was written all the same")
			}
		})
	}
	storage := newStorage(t, registrytest.New(t))
	if _, err := storage.Rollback.Create(as("alice"), "none", rollback("", 0), nil, &metav1.CreateOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("one that is not there: %v", err)
	}
	i := installed(t, storage, disabled)
	if _, err := storage.Reconcile.Create(as("alice"), i.Name, &ksit.ReconcileRequest{}, nil, &metav1.CreateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("a reconcile of one that is disabled: %v", err)
	}
}

// Neither a create nor a write of the object or its status changes what was asked
// for.
func TestOperationIsNotForged(t *testing.T) {
	forged := &ksit.OperationRequest{ID: "forged", Type: ksit.OperationRollback, RequestedBy: "carol", RequestedAt: metav1.Now()}
	storage := newStorage(t, registrytest.New(t))
	i := installed(t, storage, func(i *ksit.Installation) { i.Spec.Operation = forged })
	if i.Spec.Operation != nil {
		t.Fatal("a create asked for something")
	}
	if _, err := storage.Rollback.Create(as("alice"), i.Name, rollback("", 0), nil, &metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	asked := get(t, storage)
	for name, to := range map[string]interface {
		put(*ksit.Installation) *ksit.Installation
	}{
		"object": putter{t, storage.Installation}, "status": putter{t, storage.Status},
	} {
		for _, operation := range []*ksit.OperationRequest{forged, nil} {
			changed := get(t, storage)
			changed.Spec.Operation = operation
			after := to.put(changed)
			if diff := cmp.Diff(asked.Spec.Operation, after.Spec.Operation); diff != "" || after.Generation != asked.Generation {
				t.Errorf("after a write of the %s, generation %d (-want +got)\n%s", name, after.Generation, diff)
			}
		}
	}
}

func TestDryRunAsksForNothing(t *testing.T) {
	storage := newStorage(t, registrytest.New(t))
	i := installed(t, storage)
	answer, err := storage.Rollback.Create(as("alice"), i.Name, rollback("", 0), nil, &metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil || answer.(*ksit.RollbackRequest).Status.RequestedBy != "alice" {
		t.Errorf("answered %+v, %v", answer, err)
	}
	if after := get(t, storage); after.Spec.Operation != nil || after.ResourceVersion != i.ResourceVersion {
		t.Errorf("it asked for %+v", after.Spec.Operation)
	}
}

func get(t *testing.T, storage *Storage) *ksit.Installation {
	t.Helper()
	got, err := storage.Installation.Get(as("anybody"), "argocd.prod-1", &metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got.(*ksit.Installation).DeepCopy()
}

type putter struct {
	t  *testing.T
	to rest.Updater
}

func (p putter) put(i *ksit.Installation) *ksit.Installation { return put(p.t, p.to, i) }

func put(t *testing.T, to rest.Updater, i *ksit.Installation) *ksit.Installation {
	t.Helper()
	updated, _, err := to.Update(as("carol"), i.Name, rest.DefaultUpdatedObjectInfo(i),
		rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, false, &metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return updated.(*ksit.Installation).DeepCopy()
}
