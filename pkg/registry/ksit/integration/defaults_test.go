// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit"
)

const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func install(method ksit.InstallMethod, mutate ...func(*ksit.AutoInstall)) *ksit.AutoInstall {
	auto := &ksit.AutoInstall{Enabled: true, Method: method}
	for _, m := range mutate {
		m(auto)
	}
	return auto
}

func helm(config ksit.HelmConfig) *ksit.AutoInstall {
	return install(ksit.InstallMethodHelm, func(auto *ksit.AutoInstall) { auto.HelmConfig = &config })
}

func manifest(config ksit.ManifestConfig) *ksit.AutoInstall {
	return install(ksit.InstallMethodManifest, func(auto *ksit.AutoInstall) { auto.ManifestConfig = &config })
}

func TestDefaultsOnCreate(t *testing.T) {
	type spec = ksit.IntegrationSpec
	namespace := func(name string) map[string]string { return map[string]string{"namespace": name} }
	argocd := ksit.HelmConfig{Repository: "https://argoproj.github.io/argo-helm", Chart: "argo-cd", Version: "5.51.6", ReleaseName: "argocd"}

	for name, test := range map[string]struct{ given, want spec }{
		"argocd": {
			given: spec{Type: "argocd", AutoInstall: install("helm")},
			want:  spec{Type: "argocd", AutoInstall: helm(argocd), Config: namespace("argocd")},
		},
		"prometheus": {
			given: spec{Type: "prometheus", AutoInstall: install("helm")},
			want: spec{Type: "prometheus", AutoInstall: helm(ksit.HelmConfig{
				Repository: "https://prometheus-community.github.io/helm-charts", Chart: "kube-prometheus-stack", Version: "55.5.0", ReleaseName: "prometheus",
			}), Config: namespace("monitoring")},
		},
		"istio": {
			given: spec{Type: "istio", AutoInstall: install("helm")},
			want: spec{Type: "istio", AutoInstall: helm(ksit.HelmConfig{
				Repository: "https://istio-release.storage.googleapis.com/charts", Chart: "istiod", Version: "1.20.2", ReleaseName: "istiod",
			}), Config: namespace("istio-system")},
		},
		"istio, the chart base alone": {
			given: spec{Type: "istio", AutoInstall: helm(ksit.HelmConfig{Chart: "base", ReleaseName: "crds"})},
			want: spec{Type: "istio", AutoInstall: helm(ksit.HelmConfig{
				Repository: "https://istio-release.storage.googleapis.com/charts", Chart: "base", Version: "1.20.2", ReleaseName: "crds",
			}), Config: namespace("istio-system")},
		},
		"flux by helm": {
			given: spec{Type: "flux", AutoInstall: install("helm")},
			want: spec{Type: "flux", AutoInstall: helm(ksit.HelmConfig{
				Repository: "https://fluxcd-community.github.io/helm-charts", Chart: "flux2", Version: "2.12.4", ReleaseName: "flux2",
			}), Config: namespace("flux-system")},
		},
		"flux by manifest": {
			given: spec{Type: "flux", AutoInstall: install("manifest")},
			want: spec{Type: "flux", AutoInstall: manifest(ksit.ManifestConfig{
				URL: "https://github.com/fluxcd/flux2/releases/download/v2.2.3/install.yaml",
			}), Config: namespace("flux-system")},
		},
		"flux by manifest, with a digest": {
			given: spec{Type: "flux", AutoInstall: manifest(ksit.ManifestConfig{Digest: digest})},
			want: spec{Type: "flux", AutoInstall: manifest(ksit.ManifestConfig{
				URL: "https://github.com/fluxcd/flux2/releases/download/v2.2.3/install.yaml", Digest: digest,
			}), Config: namespace("flux-system")},
		},
		"flux by other manifests": {
			given: spec{Type: "flux", AutoInstall: manifest(ksit.ManifestConfig{ConfigMapRef: &ksit.ConfigMapReference{Name: "a"}})},
			want:  spec{Type: "flux", AutoInstall: manifest(ksit.ManifestConfig{ConfigMapRef: &ksit.ConfigMapReference{Name: "a"}}), Config: namespace("flux-system")},
		},
		"argocd by manifest has no default": {
			given: spec{Type: "argocd", AutoInstall: install("manifest")},
			want:  spec{Type: "argocd", AutoInstall: install("manifest"), Config: namespace("argocd")},
		},
		"generic is named after the object": {
			given: spec{Type: "generic", AutoInstall: helm(ksit.HelmConfig{Repository: "https://example.com", Chart: "c", Version: "1.0.0"})},
			want: spec{Type: "generic", AutoInstall: helm(ksit.HelmConfig{
				Repository: "https://example.com", Chart: "c", Version: "1.0.0", ReleaseName: "mine",
			}), Config: namespace("mine")},
		},
		"generic without a chart has no version": {
			given: spec{Type: "generic", AutoInstall: install("helm")},
			want:  spec{Type: "generic", AutoInstall: helm(ksit.HelmConfig{ReleaseName: "mine"}), Config: namespace("mine")},
		},
		"what is given stays": {
			given: spec{Type: "argocd", AutoInstall: helm(ksit.HelmConfig{
				Repository: "oci://example.com/charts", Chart: "argo-cd", Version: "~5.40", ReleaseName: "gitops",
			}), Config: namespace("gitops")},
			want: spec{Type: "argocd", AutoInstall: helm(ksit.HelmConfig{
				Repository: "oci://example.com/charts", Chart: "argo-cd", Version: "~5.40", ReleaseName: "gitops",
			}), Config: namespace("gitops")},
		},
		"another repository of the same chart": {
			given: spec{Type: "argocd", AutoInstall: helm(ksit.HelmConfig{Repository: "https://mirror.example.com"})},
			want: spec{Type: "argocd", AutoInstall: helm(ksit.HelmConfig{
				Repository: "https://mirror.example.com", Chart: "argo-cd", Version: "5.51.6", ReleaseName: "argocd",
			}), Config: namespace("argocd")},
		},
		"another chart has another version": {
			given: spec{Type: "argocd", AutoInstall: helm(ksit.HelmConfig{Chart: "argo-events"})},
			want: spec{Type: "argocd", AutoInstall: helm(ksit.HelmConfig{
				Repository: "https://argoproj.github.io/argo-helm", Chart: "argo-events", ReleaseName: "argocd",
			}), Config: namespace("argocd")},
		},
		"no autoInstall": {
			given: spec{Type: "argocd", Config: map[string]string{"ha": "true"}},
			want:  spec{Type: "argocd", Config: map[string]string{"ha": "true", "namespace": "argocd"}},
		},
		"unknown type": {
			given: spec{Type: "argo", AutoInstall: install("helm")},
			want:  spec{Type: "argo", AutoInstall: install("helm")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			integration := &ksit.Integration{ObjectMeta: metav1.ObjectMeta{Name: "mine"}, Spec: test.given}
			fillDefaults(integration, nil)
			if diff := cmp.Diff(test.want, integration.Spec); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			again := integration.DeepCopy()
			fillDefaults(again, integration)
			if diff := cmp.Diff(integration, again); diff != "" {
				t.Errorf("filling in twice changes it (-once +twice)\n%s", diff)
			}
		})
	}
}

// An older KSIT filled in older defaults, or the user something of his own.
// Whoever replaces the object with a manifest that leaves them out moves
// nothing.
func TestDefaultsOnUpdate(t *testing.T) {
	older := ksit.HelmConfig{Repository: "https://argoproj.github.io/argo-helm", Chart: "argo-cd", Version: "5.0.0", ReleaseName: "gitops"}
	moved := older
	moved.Repository = "https://old.example.com"

	for name, test := range map[string]struct {
		integrationType  ksit.IntegrationType
		old, given, want *ksit.AutoInstall
	}{
		"all left out":           {old: helm(older), given: install("helm"), want: helm(older)},
		"older repository too":   {old: helm(moved), given: install("helm"), want: helm(moved)},
		"same chart, no version": {old: helm(older), given: helm(ksit.HelmConfig{Repository: older.Repository, Chart: older.Chart}), want: helm(older)},
		"new version": {
			old: helm(older), given: helm(ksit.HelmConfig{Version: "5.60.0"}),
			want: helm(ksit.HelmConfig{Repository: older.Repository, Chart: older.Chart, Version: "5.60.0", ReleaseName: "gitops"}),
		},
		"other repository": {
			old: helm(older), given: helm(ksit.HelmConfig{Repository: "https://mirror.example.com"}),
			want: helm(ksit.HelmConfig{Repository: "https://mirror.example.com", Chart: "argo-cd", Version: "5.51.6", ReleaseName: "gitops"}),
		},
		"other chart": {
			old: helm(older), given: helm(ksit.HelmConfig{Chart: "argo-events"}),
			want: helm(ksit.HelmConfig{Repository: older.Repository, Chart: "argo-events", ReleaseName: "gitops"}),
		},
		"values go when they are left out": {
			old: helm(ksit.HelmConfig{
				Repository: older.Repository, Chart: older.Chart, Version: "5.0.0", ReleaseName: "gitops", Values: map[string]string{"a": "b"},
			}),
			given: install("helm"), want: helm(older),
		},
		"autoInstall is new": {
			given: install("helm"),
			want: helm(ksit.HelmConfig{
				Repository: older.Repository, Chart: "argo-cd", Version: "5.51.6", ReleaseName: "argocd",
			}),
		},
		"manifest left out": {
			integrationType: "flux",
			old:             manifest(ksit.ManifestConfig{URL: "https://example.com/v1.yaml", Digest: digest}),
			given:           install("manifest"),
			want:            manifest(ksit.ManifestConfig{URL: "https://example.com/v1.yaml", Digest: digest}),
		},
		"manifest URL left out": {
			integrationType: "flux",
			old:             manifest(ksit.ManifestConfig{URL: "https://example.com/v1.yaml"}),
			given:           manifest(ksit.ManifestConfig{Digest: digest}),
			want:            manifest(ksit.ManifestConfig{URL: "https://example.com/v1.yaml", Digest: digest}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			integrationType := test.integrationType
			if integrationType == "" {
				integrationType = ksit.IntegrationTypeArgoCD
			}
			old := &ksit.Integration{Spec: ksit.IntegrationSpec{
				Type: integrationType, AutoInstall: test.old, Config: map[string]string{"namespace": "elsewhere"},
			}}
			before := old.DeepCopy()
			integration := &ksit.Integration{Spec: ksit.IntegrationSpec{Type: integrationType, AutoInstall: test.given}}
			fillDefaults(integration, old)
			want := ksit.IntegrationSpec{Type: integrationType, AutoInstall: test.want, Config: map[string]string{"namespace": "elsewhere"}}
			if diff := cmp.Diff(want, integration.Spec); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(before, old); diff != "" {
				t.Errorf("the old object changed (-before +after)\n%s", diff)
			}
		})
	}
}

func TestDropLeftovers(t *testing.T) {
	filled := ksit.HelmConfig{Repository: "https://argoproj.github.io/argo-helm", Chart: "argo-cd", Version: "5.51.6", ReleaseName: "argocd"}
	changed := filled
	changed.Version = "6.0.0"
	flux := "https://github.com/fluxcd/flux2/releases/download/v2.2.3/install.yaml"
	url := ksit.ManifestConfig{URL: "https://example.com/x.yaml"}
	both := func(method ksit.InstallMethod, h ksit.HelmConfig, m ksit.ManifestConfig) *ksit.AutoInstall {
		return install(method, func(auto *ksit.AutoInstall) { auto.HelmConfig, auto.ManifestConfig = &h, &m })
	}

	for name, test := range map[string]struct{ old, given, want *ksit.AutoInstall }{
		"no change":                         {old: helm(filled), given: helm(filled), want: helm(filled)},
		"helm to manifest":                  {old: helm(filled), given: both("manifest", filled, url), want: manifest(url)},
		"manifest to helm":                  {old: manifest(url), given: both("helm", filled, url), want: helm(filled)},
		"helm to manifest, helm changed":    {old: helm(filled), given: both("manifest", changed, url), want: both("manifest", changed, url)},
		"manifests without a new method":    {old: helm(filled), given: both("helm", filled, url), want: both("helm", filled, url)},
		"no old":                            {given: both("helm", filled, url), want: both("helm", filled, url)},
		"another source than the filled":    {old: manifest(ksit.ManifestConfig{URL: flux}), given: manifest(ksit.ManifestConfig{URL: flux, Manifests: "x"}), want: manifest(ksit.ManifestConfig{Manifests: "x"})},
		"another source next to a user's":   {old: manifest(url), given: manifest(ksit.ManifestConfig{URL: url.URL, Manifests: "x"}), want: manifest(ksit.ManifestConfig{URL: url.URL, Manifests: "x"})},
		"a filled URL next to an old fault": {old: manifest(ksit.ManifestConfig{URL: flux, Manifests: "x"}), given: manifest(ksit.ManifestConfig{URL: flux, Manifests: "y"}), want: manifest(ksit.ManifestConfig{URL: flux, Manifests: "y"})},
	} {
		t.Run(name, func(t *testing.T) {
			dropLeftovers(test.given, test.old, ksit.IntegrationTypeFlux)
			if diff := cmp.Diff(test.want, test.given); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
