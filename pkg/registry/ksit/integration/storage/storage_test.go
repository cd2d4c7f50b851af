// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	genericregistrytest "k8s.io/apiserver/pkg/registry/generic/testing"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/registry/ksit/internal/registrytest"
)

func newStorage(t *testing.T, backend *registrytest.Backend) *Storage {
	t.Helper()
	storage, err := New(backend.Set.Scheme, backend.Getter)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(storage.Integration.Destroy)
	return storage
}

// newTester runs the tests that the library has for every registry.
func newTester(t *testing.T) *genericregistrytest.Tester {
	t.Helper()
	backend := registrytest.New(t)
	backend.Getter = registrytest.Uncached(backend.Getter)
	return genericregistrytest.New(t, newStorage(t, backend).Integration.Store)
}

func validIntegration(name string) *ksit.Integration {
	enabled, timeout := true, int32(600)
	return &ksit.Integration{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"tier": "prod"}},
		Spec: ksit.IntegrationSpec{
			Type:           ksit.IntegrationTypeArgoCD,
			Enabled:        &enabled,
			TargetClusters: []string{"prod-1"},
			Config:         map[string]string{"namespace": "argocd"},
			AutoInstall: &ksit.AutoInstall{
				Enabled: true, Method: ksit.InstallMethodHelm, TimeoutSeconds: &timeout,
				CRDPolicy: ksit.CRDPolicyCreateReplace, DeletionPolicy: ksit.DeletionPolicyDelete, AdoptionPolicy: ksit.AdoptionPolicyAdopt,
				HelmConfig: &ksit.HelmConfig{
					Repository: "https://argoproj.github.io/argo-helm", Chart: "argo-cd", Version: "5.51.6", ReleaseName: "argocd",
				},
			},
		},
	}
}

func TestCreate(t *testing.T) {
	unknownType, noTargets := validIntegration(""), validIntegration("")
	unknownType.Spec.Type = "argo"
	noTargets.Spec.TargetClusters = nil
	newTester(t).TestCreate(validIntegration(""), unknownType, noTargets)
}

func TestUpdate(t *testing.T) {
	change := func(mutate func(*ksit.Integration)) genericregistrytest.UpdateFunc {
		return func(object runtime.Object) runtime.Object {
			integration := object.(*ksit.Integration)
			mutate(integration)
			return integration
		}
	}
	newTester(t).TestUpdate(validIntegration("argocd"),
		change(func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"prod-1", "prod-2"} }),
		change(func(i *ksit.Integration) { i.Spec.Type = ksit.IntegrationTypeFlux }),
		change(func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"prod-1", "prod-1"} }),
	)
}

func TestDelete(t *testing.T) { newTester(t).TestDelete(validIntegration("argocd")) }

func TestGet(t *testing.T) { newTester(t).TestGet(validIntegration("argocd")) }

func TestList(t *testing.T) { newTester(t).TestList(validIntegration("argocd")) }

func TestWatch(t *testing.T) {
	newTester(t).TestWatch(validIntegration("argocd"),
		[]labels.Set{{"tier": "prod"}},
		[]labels.Set{{"tier": "dev"}},
		[]fields.Set{{"metadata.name": "argocd"}, {"spec.type": "argocd"}, {"status.phase": ""}},
		[]fields.Set{{"metadata.name": "other"}, {"spec.type": "flux"}, {"status.phase": "Running"}},
	)
}

func TestNames(t *testing.T) {
	storage := newStorage(t, registrytest.New(t))
	if diff := cmp.Diff([]string{"intg"}, storage.Integration.ShortNames()); diff != "" {
		t.Errorf("short names (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ksit"}, storage.Integration.Categories()); diff != "" {
		t.Errorf("categories (-want +got)\n%s", diff)
	}
	if got := storage.Integration.GetSingularName(); got != "integration" {
		t.Errorf("singular name is %q", got)
	}
	if storage.Integration.StorageVersion() == nil {
		t.Error("the storage version is not disclosed")
	}
}

// A generated name is there before the defaults that are made from it.
func TestGenerateName(t *testing.T) {
	storage := newStorage(t, registrytest.New(t))
	integration := validIntegration("")
	integration.GenerateName = "mine-"
	integration.Spec.Type = ksit.IntegrationTypeGeneric
	integration.Spec.Config = nil
	integration.Spec.AutoInstall.HelmConfig.ReleaseName = ""
	created, err := storage.Integration.Create(registrytest.Context(metav1.NamespaceDefault), integration, rest.ValidateAllObjectFunc, &metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := created.(*ksit.Integration)
	if !strings.HasPrefix(got.Name, "mine-") || got.Spec.Config["namespace"] != got.Name || got.Spec.AutoInstall.HelmConfig.ReleaseName != got.Name {
		t.Errorf("%s has namespace %q and release name %q", got.Name, got.Spec.Config["namespace"], got.Spec.AutoInstall.HelmConfig.ReleaseName)
	}
}

func TestStatus(t *testing.T) {
	ctx := registrytest.Context(metav1.NamespaceDefault)
	storage := newStorage(t, registrytest.New(t))
	created, err := storage.Integration.Create(ctx, validIntegration("argocd"), rest.ValidateAllObjectFunc, &metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	changed := created.(*ksit.Integration).DeepCopy()
	changed.Status = ksit.IntegrationStatus{ObservedGeneration: 1, Phase: ksit.PhaseRunning, Targets: 1, Healthy: 1}
	changed.Spec.TargetClusters = []string{"elsewhere"}
	updated, _, err := storage.Status.Update(ctx, "argocd", rest.DefaultUpdatedObjectInfo(changed),
		rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, false, &metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := created.(*ksit.Integration).DeepCopy()
	want.Status = changed.Status
	want.ResourceVersion = updated.(*ksit.Integration).ResourceVersion
	got, err := storage.Status.Get(ctx, "argocd", &metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	missing := validIntegration("missing")
	if _, _, err := storage.Status.Update(ctx, "missing", rest.DefaultUpdatedObjectInfo(missing),
		rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, true, &metav1.UpdateOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a status makes an object: %v", err)
	}
	stale := changed.DeepCopy()
	if _, _, err := storage.Status.Update(ctx, "argocd", rest.DefaultUpdatedObjectInfo(stale),
		rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, false, &metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("a stale status is written: %v", err)
	}
	unversioned := changed.DeepCopy()
	unversioned.ResourceVersion = ""
	if _, _, err := storage.Status.Update(ctx, "argocd", rest.DefaultUpdatedObjectInfo(unversioned),
		rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, false, &metav1.UpdateOptions{}); err == nil {
		t.Error("a status without a resource version is written")
	}
}

// The watch cache answers field selectors from its indexes.
func TestFieldSelectors(t *testing.T) {
	ctx := registrytest.Context(metav1.NamespaceDefault)
	storage := newStorage(t, registrytest.New(t))
	registrytest.WaitReady(t, storage.Integration.Store)
	for name, phase := range map[string]ksit.Phase{"a": ksit.PhaseRunning, "b": ksit.PhaseFailed, "c": ksit.PhaseRunning} {
		integration := validIntegration(name)
		if name == "c" {
			integration.Spec.Type = ksit.IntegrationTypeFlux
		}
		created, err := storage.Integration.Create(ctx, integration, rest.ValidateAllObjectFunc, &metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		changed := created.(*ksit.Integration).DeepCopy()
		changed.Status.Phase = phase
		if _, _, err := storage.Status.Update(ctx, name, rest.DefaultUpdatedObjectInfo(changed),
			rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, false, &metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for selector, want := range map[string][]string{
		"":                                      {"a", "b", "c"},
		"status.phase=Running":                  {"a", "c"},
		"status.phase!=Running":                 {"b"},
		"spec.type=flux":                        {"c"},
		"spec.type=argocd,status.phase=Running": {"a"},
		"metadata.name=b":                       {"b"},
		"status.phase=Pending":                  nil,
	} {
		parsed, err := fields.ParseSelector(selector)
		if err != nil {
			t.Fatal(err)
		}
		list, err := storage.Integration.List(ctx, &metainternalversion.ListOptions{FieldSelector: parsed})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, item := range list.(*ksit.IntegrationList).Items {
			got = append(got, item.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", selector, diff)
		}
	}
}

func TestTable(t *testing.T) {
	running := validIntegration("argocd")
	running.CreationTimestamp = metav1.NewTime(time.Now().Add(-50 * time.Hour))
	running.Status = ksit.IntegrationStatus{
		Phase: ksit.PhaseDegraded, Message: "prod-2: repo-server is not ready", Targets: 2, Installed: 2, Healthy: 1, Chart: "argo-cd", Version: "5.51.6",
	}
	created := validIntegration("flux")
	created.Spec.Type = ksit.IntegrationTypeFlux
	created.CreationTimestamp = running.CreationTimestamp
	want := strings.TrimPrefix(`
Name    Type    Phase     Targets  Version  Age   Chart*   Message*
argocd  argocd  Degraded  1/2      5.51.6   2d2h  argo-cd  prod-2: repo-server is not ready
flux    flux    <none>    0/0      <none>   2d2h  <none>   <none>
`, "\n")
	got := registrytest.Table(t, table(), &ksit.IntegrationList{Items: []ksit.Integration{*running, *created}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
