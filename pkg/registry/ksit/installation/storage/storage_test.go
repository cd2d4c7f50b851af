// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	storage, err := New(backend.Set.Scheme, backend.Getter, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(storage.Installation.Destroy)
	return storage
}

// newTester runs the tests that the library has for every registry.
func newTester(t *testing.T) *genericregistrytest.Tester {
	t.Helper()
	backend := registrytest.New(t)
	backend.Getter = registrytest.Uncached(backend.Getter)
	return genericregistrytest.New(t, newStorage(t, backend).Installation.Store)
}

func validInstallation(name string) *ksit.Installation {
	return &ksit.Installation{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"ksit.io/target": "prod-1"}},
		Spec: ksit.InstallationSpec{
			Integration: "argocd", Target: "prod-1", Type: ksit.IntegrationTypeArgoCD, Enabled: true,
			Config: map[string]string{"namespace": "argocd"},
		},
	}
}

func TestCreate(t *testing.T) {
	noTarget, unknownType := validInstallation(""), validInstallation("")
	noTarget.Spec.Target = ""
	unknownType.Spec.Type = "argo"
	newTester(t).TestCreate(validInstallation(""), noTarget, unknownType)
}

func TestUpdate(t *testing.T) {
	change := func(mutate func(*ksit.Installation)) genericregistrytest.UpdateFunc {
		return func(object runtime.Object) runtime.Object {
			installation := object.(*ksit.Installation)
			mutate(installation)
			return installation
		}
	}
	newTester(t).TestUpdate(validInstallation("argocd.prod-1"),
		change(func(i *ksit.Installation) { i.Spec.ReconcileRequest = "1" }),
		change(func(i *ksit.Installation) { i.Spec.Target = "other" }),
		change(func(i *ksit.Installation) { i.Spec.Integration = "other" }),
	)
}

func TestDelete(t *testing.T) { newTester(t).TestDelete(validInstallation("argocd.prod-1")) }

func TestGet(t *testing.T) { newTester(t).TestGet(validInstallation("argocd.prod-1")) }

func TestList(t *testing.T) { newTester(t).TestList(validInstallation("argocd.prod-1")) }

func TestWatch(t *testing.T) {
	newTester(t).TestWatch(validInstallation("argocd.prod-1"),
		[]labels.Set{{"ksit.io/target": "prod-1"}},
		[]labels.Set{{"ksit.io/target": "prod-2"}},
		[]fields.Set{{"metadata.name": "argocd.prod-1"}, {"spec.integration": "argocd"}, {"spec.target": "prod-1"}, {"spec.type": "argocd"}},
		[]fields.Set{{"metadata.name": "other"}, {"spec.integration": "flux"}, {"spec.target": "prod-2"}, {"status.phase": "Running"}},
	)
}

func TestNames(t *testing.T) {
	storage := newStorage(t, registrytest.New(t))
	if diff := cmp.Diff([]string{"inst"}, storage.Installation.ShortNames()); diff != "" {
		t.Errorf("short names (-want +got)\n%s", diff)
	}
	if got := storage.Installation.GetSingularName(); got != "installation" {
		t.Errorf("singular name is %q", got)
	}
}

// The watch cache answers field selectors from its indexes.
func TestFieldSelectors(t *testing.T) {
	ctx := registrytest.Context("team-a")
	storage := newStorage(t, registrytest.New(t))
	registrytest.WaitReady(t, storage.Installation.Store)
	for _, integration := range []string{"argocd", "flux"} {
		for _, target := range []string{"prod-1", "prod-2"} {
			installation := validInstallation(integration + "." + target)
			installation.Spec.Integration, installation.Spec.Type, installation.Spec.Target = integration, ksit.IntegrationType(integration), target
			created, err := storage.Installation.Create(ctx, installation, rest.ValidateAllObjectFunc, &metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			changed := created.(*ksit.Installation).DeepCopy()
			changed.Status.Phase = ksit.PhaseRunning
			if integration == "flux" && target == "prod-2" {
				changed.Status.Phase = ksit.PhaseFailed
			}
			if _, _, err := storage.Status.Update(ctx, installation.Name, rest.DefaultUpdatedObjectInfo(changed),
				rest.ValidateAllObjectFunc, rest.ValidateAllObjectUpdateFunc, false, &metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for selector, want := range map[string][]string{
		"spec.integration=argocd":                 {"argocd.prod-1", "argocd.prod-2"},
		"spec.target=prod-2":                      {"argocd.prod-2", "flux.prod-2"},
		"spec.type=flux":                          {"flux.prod-1", "flux.prod-2"},
		"status.phase=Failed":                     {"flux.prod-2"},
		"spec.target=prod-1,status.phase=Running": {"argocd.prod-1", "flux.prod-1"},
		"spec.integration=istio":                  nil,
	} {
		parsed, err := fields.ParseSelector(selector)
		if err != nil {
			t.Fatal(err)
		}
		list, err := storage.Installation.List(ctx, &metainternalversion.ListOptions{FieldSelector: parsed})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, item := range list.(*ksit.InstallationList).Items {
			got = append(got, item.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", selector, diff)
		}
	}
}

func TestTable(t *testing.T) {
	running := validInstallation("istio.prod-1")
	running.Spec.Integration, running.Spec.Type = "istio", ksit.IntegrationTypeIstio
	running.CreationTimestamp = metav1.NewTime(time.Now().Add(-50 * time.Hour))
	running.Status = ksit.InstallationStatus{
		Phase:      ksit.PhaseRunning,
		Releases:   []ksit.ReleaseStatus{{Name: "istio-base", Version: "1.20.2", Revision: 1}, {Name: "istiod", Version: "1.20.2", Revision: 3}},
		Conditions: []metav1.Condition{{Type: "Healthy", Status: "True"}, {Type: "Drifted", Status: "False"}},
	}
	created := validInstallation("argocd.prod-1")
	created.CreationTimestamp = running.CreationTimestamp
	created.Status.Message = "target prod-1 is not ready"
	want := strings.TrimPrefix(`
Name           Integration  Target  Phase    Version  Age   Revision*  Healthy*  Drifted*  Message*
istio.prod-1   istio        prod-1  Running  1.20.2   2d2h  3          True      False     <none>
argocd.prod-1  argocd       prod-1  <none>   <none>   2d2h  <none>     Unknown   Unknown   target prod-1 is not ready
`, "\n")
	got := registrytest.Table(t, table(), &ksit.InstallationList{Items: []ksit.Installation{*running, *created}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func BenchmarkTable(b *testing.B) {
	list := &ksit.InstallationList{}
	for i := range 3000 {
		installation := validInstallation(fmt.Sprintf("argocd.prod-%d", i))
		installation.Status.Releases = []ksit.ReleaseStatus{{Version: "5.51.6", Revision: 1}}
		list.Items = append(list.Items, *installation)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table().ConvertToTable(b.Context(), list, nil); err != nil {
			b.Fatal(err)
		}
	}
}
