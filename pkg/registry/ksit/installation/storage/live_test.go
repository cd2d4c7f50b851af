// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/registry/ksit/integration"
	integrationstorage "ksit.io/ksit/pkg/registry/ksit/integration/storage"
	"ksit.io/ksit/pkg/registry/ksit/internal/registrytest"
)

// recorder answers, and keeps what it was asked.
type recorder struct {
	installation *v1alpha1.Installation
	integration  *v1alpha1.Integration
	options      *v1alpha1.InstallationManifestOptions
	err          error
}

func (r *recorder) Health(_ context.Context, i *v1alpha1.Installation) (*v1alpha1.InstallationHealth, error) {
	r.installation = i
	return &v1alpha1.InstallationHealth{State: v1alpha1.CheckPassed}, r.err
}

func (r *recorder) History(_ context.Context, i *v1alpha1.Installation) (*v1alpha1.InstallationHistory, error) {
	r.installation = i
	return &v1alpha1.InstallationHistory{Releases: []v1alpha1.ReleaseHistory{{Name: "argocd"}}}, r.err
}

func (r *recorder) Manifest(_ context.Context, i *v1alpha1.Installation, options *v1alpha1.InstallationManifestOptions) (*v1alpha1.InstallationManifest, error) {
	r.installation, r.options = i, options
	return &v1alpha1.InstallationManifest{Releases: []v1alpha1.ReleaseManifest{{Name: "argocd"}}}, r.err
}

func (r *recorder) Diff(_ context.Context, i *v1alpha1.Installation, integration *v1alpha1.Integration, _ bool) (*v1alpha1.InstallationDiffStatus, error) {
	r.installation, r.integration = i, integration
	return &v1alpha1.InstallationDiffStatus{Summary: v1alpha1.DiffSummary{Added: 7}}, r.err
}

// autoInstall has the defaults that come with decoding.
func autoInstall(config *ksit.HelmConfig) *ksit.AutoInstall {
	return &ksit.AutoInstall{Enabled: true, Method: ksit.InstallMethodHelm, HelmConfig: config, CRDPolicy: ksit.CRDPolicyCreateReplace,
		DeletionPolicy: ksit.DeletionPolicyDelete, AdoptionPolicy: ksit.AdoptionPolicyAdopt}
}

// live is the storages with one Installation, of one Integration.
type live struct {
	*recorder
	ctx  context.Context
	live *Live
	diff *DiffREST
}

func newLive(t *testing.T) *live {
	t.Helper()
	backend := registrytest.New(t)
	storage := newStorage(t, backend)
	integrations, err := integrationstorage.New(backend.Set.Scheme, backend.Getter)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(integrations.Integration.Destroy)
	l := &live{recorder: &recorder{}, ctx: registrytest.Context("team-a")}
	l.live = NewLive(storage, backend.Set.Scheme, l.recorder)
	l.diff = NewDiff(storage, integrations.Integration, integration.NewStrategy(backend.Set.Scheme), backend.Set.Scheme, l.recorder)
	if _, err := storage.Installation.Create(l.ctx, validInstallation("argocd.prod-1"), rest.ValidateAllObjectFunc, &metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	stored := &ksit.Integration{
		ObjectMeta: metav1.ObjectMeta{Name: "argocd", Namespace: "team-a"},
		Spec: ksit.IntegrationSpec{
			Type: ksit.IntegrationTypeArgoCD, TargetClusters: []string{"prod-1"},
			AutoInstall: autoInstall(&ksit.HelmConfig{ReleaseName: "mine"}),
		},
	}
	if _, err := integrations.Integration.Create(l.ctx, stored, rest.ValidateAllObjectFunc, &metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLive(t *testing.T) {
	l := newLive(t)
	health, err := l.live.Health.Get(l.ctx, "argocd.prod-1", &metav1.GetOptions{})
	if err != nil || health.(*ksit.InstallationHealth).State != ksit.CheckPassed || l.installation.Spec.Target != "prod-1" {
		t.Errorf("health: %v, %v", health, err)
	}
	history, err := l.live.History.Get(l.ctx, "argocd.prod-1", &metav1.GetOptions{})
	if err != nil || history.(*ksit.InstallationHistory).Releases[0].Name != "argocd" {
		t.Errorf("history: %v, %v", history, err)
	}
	manifest, err := l.live.Manifest.Get(l.ctx, "argocd.prod-1", &ksit.InstallationManifestOptions{Release: "argocd", Revision: 3})
	if err != nil || manifest.(*ksit.InstallationManifest).Releases[0].Name != "argocd" || l.options.Release != "argocd" || l.options.Revision != 3 {
		t.Errorf("manifest: %v, %v, asked for %+v", manifest, err, l.options)
	}
	if _, err := l.live.Health.Get(l.ctx, "nobody", &metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("of what is not there: %v", err)
	}
	if _, err := l.live.Health.Get(registrytest.Context("team-b"), "argocd.prod-1", &metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("in another namespace: %v", err)
	}
	l.err = apierrors.NewServiceUnavailable("no")
	for name, get := range map[string]rest.Getter{"health": l.live.Health, "history": l.live.History} {
		if _, err := get.Get(l.ctx, "argocd.prod-1", &metav1.GetOptions{}); !apierrors.IsServiceUnavailable(err) {
			t.Errorf("%s passes on %v", name, err)
		}
	}
}

func (l *live) create(name string, spec ksit.InstallationDiffSpec) (*ksit.InstallationDiff, error) {
	asked := &ksit.InstallationDiff{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "me"}}}, Spec: spec}
	made, err := l.diff.Create(l.ctx, name, asked, rest.ValidateAllObjectFunc, &metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	return made.(*ksit.InstallationDiff), nil
}

func TestDiff(t *testing.T) {
	l := newLive(t)
	diff, err := l.create("argocd.prod-1", ksit.InstallationDiffSpec{})
	if err != nil || diff.Status.Summary.Added != 7 || diff.Name != "argocd.prod-1" || diff.Namespace != "team-a" || diff.ManagedFields != nil {
		t.Fatalf("%+v, %v", diff, err)
	}
	if got := l.integration.Spec.AutoInstall.HelmConfig; got.ReleaseName != "mine" || got.Chart == "" {
		t.Errorf("the stored spec is %+v", got)
	}
	candidate := &ksit.IntegrationSpec{
		// Neither a target that is not there nor one too many counts.
		TargetClusters: []string{"other", "and-another"},
		AutoInstall:    autoInstall(&ksit.HelmConfig{Values: map[string]string{"a": "b"}}),
	}
	if _, err := l.create("argocd.prod-1", ksit.InstallationDiffSpec{Integration: candidate}); err != nil {
		t.Fatal(err)
	}
	got := l.integration
	if got.Spec.AutoInstall.HelmConfig.ReleaseName != "mine" || got.Spec.AutoInstall.HelmConfig.Values["a"] != "b" || got.Spec.AutoInstall.HelmConfig.Version == "" ||
		got.Spec.Config["namespace"] != "argocd" || got.Spec.TargetClusters[0] != "prod-1" || len(got.Spec.TargetClusters) != 1 {
		t.Errorf("the candidate is %+v", got.Spec)
	}
	for field, spec := range map[string]*ksit.IntegrationSpec{
		"spec.integration.type":                              {Type: ksit.IntegrationTypeFlux},
		"spec.integration.autoInstall.helmConfig.repository": {AutoInstall: autoInstall(&ksit.HelmConfig{Repository: "ftp://x"})},
	} {
		_, err := l.create("argocd.prod-1", ksit.InstallationDiffSpec{Integration: spec})
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := l.create("nobody", ksit.InstallationDiffSpec{}); !apierrors.IsNotFound(err) {
		t.Errorf("of what is not there: %v", err)
	}
	named := &ksit.InstallationDiff{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	if _, err := l.diff.Create(l.ctx, "argocd.prod-1", named, nil, &metav1.CreateOptions{}); !apierrors.IsBadRequest(err) {
		t.Errorf("under another name: %v", err)
	}
	refusing := func(context.Context, runtime.Object) error {
		return apierrors.NewForbidden(ksit.Resource("installations"), "x", nil)
	}
	if _, err := l.diff.Create(l.ctx, "argocd.prod-1", &ksit.InstallationDiff{}, refusing, &metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("what admission refuses: %v", err)
	}
}
