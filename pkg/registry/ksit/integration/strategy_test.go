// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/scheme"
)

func newStrategy(t *testing.T) Strategy {
	t.Helper()
	set, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	return NewStrategy(set.Scheme)
}

func testContext() context.Context {
	return genericapirequest.WithNamespace(context.Background(), "team-a")
}

// given is what a decoded minimal manifest looks like.
func given(mutate ...func(*ksit.Integration)) *ksit.Integration {
	enabled := true
	timeout := int32(600)
	integration := &ksit.Integration{
		ObjectMeta: metav1.ObjectMeta{Name: "argocd", Namespace: "team-a"},
		Spec: ksit.IntegrationSpec{
			Type:           ksit.IntegrationTypeArgoCD,
			Enabled:        &enabled,
			TargetClusters: []string{"b", "a"},
			AutoInstall: &ksit.AutoInstall{
				Enabled: true, Method: ksit.InstallMethodHelm, TimeoutSeconds: &timeout,
				CRDPolicy: ksit.CRDPolicyCreateReplace, DeletionPolicy: ksit.DeletionPolicyDelete, AdoptionPolicy: ksit.AdoptionPolicyAdopt,
			},
		},
	}
	for _, m := range mutate {
		m(integration)
	}
	return integration
}

// stored is what becomes of it.
func stored(t *testing.T, mutate ...func(*ksit.Integration)) *ksit.Integration {
	t.Helper()
	integration := given()
	rest.FillObjectMetaSystemFields(&integration.ObjectMeta)
	if err := rest.BeforeCreate(newStrategy(t), testContext(), integration); err != nil {
		t.Fatal(err)
	}
	integration.ResourceVersion = "7"
	integration.Status = ksit.IntegrationStatus{ObservedGeneration: 1, Phase: ksit.PhaseRunning, Targets: 2}
	for _, m := range mutate {
		m(integration)
	}
	return integration
}

func TestCreate(t *testing.T) {
	integration := given(func(i *ksit.Integration) {
		i.Generation = 9
		i.Status = ksit.IntegrationStatus{Phase: ksit.PhaseRunning}
		i.Spec.AutoInstall.HelmConfig = &ksit.HelmConfig{ValuesObject: &runtime.RawExtension{Raw: []byte("{ \"b\": 1.50,\n\"a\": \"<\" }")}}
	})
	rest.FillObjectMetaSystemFields(&integration.ObjectMeta)
	if err := rest.BeforeCreate(newStrategy(t), testContext(), integration); err != nil {
		t.Fatal(err)
	}
	if integration.Generation != 1 {
		t.Errorf("generation is %d, want 1", integration.Generation)
	}
	if diff := cmp.Diff(ksit.IntegrationStatus{}, integration.Status); diff != "" {
		t.Errorf("a new object has a status (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b", "a"}, integration.Spec.TargetClusters); diff != "" {
		t.Errorf("the order of targets changed (-want +got)\n%s", diff)
	}
	if got, want := string(integration.Spec.AutoInstall.HelmConfig.ValuesObject.Raw), `{"a":"<","b":1.50}`; got != want {
		t.Errorf("valuesObject is %s, want %s", got, want)
	}
	if got := integration.Spec.AutoInstall.HelmConfig.Version; got != "5.51.6" {
		t.Errorf("version is %q", got)
	}
}

func TestCreateRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		mutate func(*ksit.Integration)
		want   string
	}{
		"unknown type": {func(i *ksit.Integration) { i.Spec.Type = "argo" }, "spec.type: Unsupported value"},
		"no targets":   {func(i *ksit.Integration) { i.Spec.TargetClusters = nil }, "spec.targetClusters: Required value"},
		"bad name":     {func(i *ksit.Integration) { i.Name = "Not_A_DNS Name!" }, "metadata.name: Invalid value"},
		"values are a list": {func(i *ksit.Integration) {
			i.Spec.AutoInstall.HelmConfig = &ksit.HelmConfig{ValuesObject: &runtime.RawExtension{Raw: []byte("[]")}}
		}, "spec.autoInstall.helmConfig.valuesObject: Invalid value"},
		"long generic name": {func(i *ksit.Integration) {
			i.Name = strings.Repeat("n", 54)
			i.Spec.Type = ksit.IntegrationTypeGeneric
			i.Spec.AutoInstall.HelmConfig = &ksit.HelmConfig{Repository: "https://example.com", Chart: "c", Version: "1.0.0"}
		}, "spec.autoInstall.helmConfig.releaseName: Invalid value"},
	} {
		t.Run(name, func(t *testing.T) {
			integration := given(test.mutate)
			rest.FillObjectMetaSystemFields(&integration.ObjectMeta)
			err := rest.BeforeCreate(newStrategy(t), testContext(), integration)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestUpdateGeneration(t *testing.T) {
	for name, test := range map[string]struct {
		mutate func(*ksit.Integration)
		want   int64
	}{
		"nothing":         {func(*ksit.Integration) {}, 1},
		"labels":          {func(i *ksit.Integration) { i.Labels = map[string]string{"a": "b"} }, 1},
		"reconcile":       {func(i *ksit.Integration) { i.Annotations = map[string]string{"reconcile": "now"} }, 1},
		"its own idea":    {func(i *ksit.Integration) { i.Generation = 12 }, 1},
		"status":          {func(i *ksit.Integration) { i.Status.Phase = ksit.PhaseFailed }, 1},
		"left out":        {func(i *ksit.Integration) { i.Spec.AutoInstall.HelmConfig, i.Spec.Config = nil, nil }, 1},
		"empty for none":  {func(i *ksit.Integration) { i.Spec.AutoInstall.HelmConfig.Values = map[string]string{} }, 1},
		"empty object":    {func(i *ksit.Integration) { i.Spec.AutoInstall.HelmConfig.ValuesObject = &runtime.RawExtension{} }, 1},
		"targets":         {func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"a"} }, 2},
		"order":           {func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"a", "b"} }, 2},
		"version":         {func(i *ksit.Integration) { i.Spec.AutoInstall.HelmConfig.Version = "5.60.0" }, 2},
		"values":          {func(i *ksit.Integration) { i.Spec.AutoInstall.HelmConfig.Values = map[string]string{"a": "b"} }, 2},
		"no auto install": {func(i *ksit.Integration) { i.Spec.AutoInstall = nil }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			old := stored(t)
			updated := old.DeepCopy()
			test.mutate(updated)
			if err := rest.BeforeUpdate(newStrategy(t), testContext(), updated, old); err != nil {
				t.Fatal(err)
			}
			if updated.Generation != test.want {
				t.Errorf("generation is %d, want %d", updated.Generation, test.want)
			}
			if diff := cmp.Diff(old.Status, updated.Status); diff != "" {
				t.Errorf("the status changed (-old +new)\n%s", diff)
			}
		})
	}
}

func TestUpdateOfReorderedValues(t *testing.T) {
	old := stored(t, func(i *ksit.Integration) {
		i.Spec.AutoInstall.HelmConfig.ValuesObject = &runtime.RawExtension{Raw: []byte(`{"a":1,"b":{"c":true}}`)}
	})
	updated := old.DeepCopy()
	updated.Spec.AutoInstall.HelmConfig.ValuesObject.Raw = []byte(`{"b": {"c": true}, "a": 1}`)
	if err := rest.BeforeUpdate(newStrategy(t), testContext(), updated, old); err != nil {
		t.Fatal(err)
	}
	if updated.Generation != old.Generation {
		t.Error("another order of keys counts as a change")
	}
}

func TestUpdateRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		mutate func(*ksit.Integration)
		want   string
	}{
		"type":     {func(i *ksit.Integration) { i.Spec.Type = ksit.IntegrationTypeFlux }, "spec.type: Invalid value: \"flux\": field is immutable"},
		"anything": {func(i *ksit.Integration) { i.Spec.TargetClusters = []string{"a", "a"} }, "spec.targetClusters[1]: Duplicate value"},
		"name":     {func(i *ksit.Integration) { i.Name = "other" }, "metadata.name: Invalid value"},
		"both methods": {func(i *ksit.Integration) {
			i.Spec.AutoInstall.ManifestConfig = &ksit.ManifestConfig{URL: "https://example.com/x.yaml"}
		}, "spec.autoInstall.manifestConfig: Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			old := stored(t)
			updated := old.DeepCopy()
			test.mutate(updated)
			err := rest.BeforeUpdate(newStrategy(t), testContext(), updated, old)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// What was stored under older rules must still be deletable.
func TestUpdateLetsGoOfFinalizers(t *testing.T) {
	old := stored(t, func(i *ksit.Integration) {
		i.Spec.AutoInstall.HelmConfig.Repository = "gopher://example.com"
		i.Finalizers = []string{"ksit.io/installations"}
	})
	updated := old.DeepCopy()
	updated.Finalizers = nil
	if err := rest.BeforeUpdate(newStrategy(t), testContext(), updated, old); err != nil {
		t.Error(err)
	}
}

func TestStatusUpdate(t *testing.T) {
	strategy := NewStatusStrategy(newStrategy(t))
	old := stored(t, func(i *ksit.Integration) {
		i.Labels = map[string]string{"a": "b"}
		i.Finalizers = []string{"ksit.io/installations"}
		i.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "c", UID: "1"}}
	})
	updated := old.DeepCopy()
	updated.Status.Phase = ksit.PhaseDegraded
	updated.Spec = ksit.IntegrationSpec{}
	updated.Labels, updated.Finalizers, updated.OwnerReferences = nil, nil, nil
	updated.Annotations = map[string]string{"reconcile": "now"}
	updated.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "ksit", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "ksit.io/v1alpha1"}}
	fields := updated.ManagedFields
	if err := rest.BeforeUpdate(strategy, testContext(), updated, old); err != nil {
		t.Fatal(err)
	}
	want := old.DeepCopy()
	want.Status.Phase = ksit.PhaseDegraded
	want.ManagedFields = fields
	if diff := cmp.Diff(want, updated); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	bad := old.DeepCopy()
	bad.Status.Phase = "Happy"
	if err := rest.BeforeUpdate(strategy, testContext(), bad, old); err == nil || !strings.Contains(err.Error(), "status.phase: Unsupported value") {
		t.Errorf("got %v", err)
	}
	if strategy.AllowUnconditionalUpdate(testContext()) {
		t.Error("a status may be written without a resource version")
	}
	if got := strategy.WarningsOnUpdate(testContext(), updated, old); got != nil {
		t.Errorf("got warnings %q", got)
	}
}

func TestResetFields(t *testing.T) {
	strategy := newStrategy(t)
	for name, test := range map[string]struct {
		got  map[fieldpath.APIVersion]*fieldpath.Set
		want []fieldpath.Path
	}{
		"spec": {strategy.GetResetFields(), []fieldpath.Path{
			fieldpath.MakePathOrDie("status"),
			fieldpath.MakePathOrDie("metadata", "annotations", "ksit.io/reconcile-requested-by"),
			fieldpath.MakePathOrDie("metadata", "annotations", "ksit.io/traceparent"),
		}},
		"status": {NewStatusStrategy(strategy).GetResetFields(), []fieldpath.Path{
			fieldpath.MakePathOrDie("spec"),
			fieldpath.MakePathOrDie("metadata", "labels"),
			fieldpath.MakePathOrDie("metadata", "annotations"),
			fieldpath.MakePathOrDie("metadata", "finalizers"),
			fieldpath.MakePathOrDie("metadata", "ownerReferences"),
			fieldpath.MakePathOrDie("status", "targetsRequestedBy"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			set := test.got["ksit.io/v1alpha1"]
			if len(test.got) != 1 || set == nil {
				t.Fatalf("got the versions %v", test.got)
			}
			if want := fieldpath.NewSet(test.want...); !set.Equals(want) {
				t.Errorf("got %s, want %s", set, want)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	for name, test := range map[string]struct {
		mutate func(*ksit.Integration)
		want   []string
	}{
		"none": {mutate: func(*ksit.Integration) {}},
		"unknown keys": {
			mutate: func(i *ksit.Integration) {
				i.Spec.Config["foo"] = "1"
				i.Spec.Config[strings.Repeat("k", 63)] = "1"
			},
			want: []string{
				"spec.config[foo]: unknown key, ignored; known: namespace",
				"spec.config[" + strings.Repeat("k", 63) + "]: unknown key, ignored; known: namespace",
			},
		},
		"many unknown keys": {
			mutate: func(i *ksit.Integration) {
				for _, c := range "abcdefghijklm" {
					i.Spec.Config[string(c)] = "1"
				}
			},
			want: []string{
				"spec.config[a]: unknown key, ignored; known: namespace",
				"spec.config[b]: unknown key, ignored; known: namespace",
				"spec.config[c]: unknown key, ignored; known: namespace",
				"spec.config[d]: unknown key, ignored; known: namespace",
				"spec.config[e]: unknown key, ignored; known: namespace",
				"spec.config[f]: unknown key, ignored; known: namespace",
				"spec.config[g]: unknown key, ignored; known: namespace",
				"spec.config[h]: unknown key, ignored; known: namespace",
				"spec.config[i]: unknown key, ignored; known: namespace",
				"spec.config[j]: unknown key, ignored; known: namespace",
				"spec.config: 3 more unknown keys, ignored",
			},
		},
		"plain http": {
			mutate: func(i *ksit.Integration) { i.Spec.AutoInstall.HelmConfig.Repository = "http://example.com/charts" },
			want:   []string{"spec.autoInstall.helmConfig.repository: over plain http anybody on the way can change the chart"},
		},
		"plain http manifests": {
			mutate: func(i *ksit.Integration) {
				i.Spec.AutoInstall.Method, i.Spec.AutoInstall.HelmConfig = ksit.InstallMethodManifest, nil
				i.Spec.AutoInstall.ManifestConfig = &ksit.ManifestConfig{URL: "http://example.com/x.yaml"}
			},
			want: []string{"spec.autoInstall.manifestConfig.url: plain http without digest: anybody on the way can change it"},
		},
		"credentials over plain http": {
			mutate: func(i *ksit.Integration) {
				i.Spec.AutoInstall.HelmConfig.Repository = "http://example.com/charts"
				i.Spec.AutoInstall.HelmConfig.SecretRef = &ksit.LocalReference{Name: "repo"}
			},
			want: []string{
				"spec.autoInstall.helmConfig.repository: over plain http anybody on the way can change the chart",
				"spec.autoInstall.helmConfig.secretRef: credentials do not belong on plain http: use https",
			},
		},
		"expressions that are not evaluated": {
			mutate: func(i *ksit.Integration) {
				i.Spec.AutoInstall.HelmConfig.Values = map[string]string{"cluster": "${target.name}"}
			},
			want: []string{"spec.autoInstall.helmConfig.templateValues: is false, so ${...} in the values is text"},
		},
		"other people's expressions": {
			mutate: func(i *ksit.Integration) {
				i.Spec.AutoInstall.HelmConfig.Values = map[string]string{"datasource": "${DS_PROMETHEUS}"}
			},
		},
		"ignored drift that nobody looks for": {
			mutate: func(i *ksit.Integration) {
				i.Spec.AutoInstall.Drift = &ksit.Drift{Mode: ksit.DriftDisabled, Ignore: []ksit.DriftIgnore{{Kind: "Secret"}}}
			},
			want: []string{"spec.autoInstall.drift.ignore: has no effect while mode is Disabled"},
		},
		"a rollout of all at once": {
			mutate: func(i *ksit.Integration) { i.Spec.Rollout = &ksit.Rollout{} },
			want:   []string{"spec.rollout: without maxConcurrent and partitions all clusters change at once"},
		},
		"system namespace": {
			mutate: func(i *ksit.Integration) { i.Spec.Config["namespace"] = "kube-system" },
			want:   []string{"spec.config[namespace]: kube-system is a namespace of Kubernetes itself"},
		},
		"long system namespace": {
			mutate: func(i *ksit.Integration) { i.Spec.Config["namespace"] = "kube-" + strings.Repeat("x", 58) },
			want:   []string{"spec.config[namespace]: kube-" + strings.Repeat("x", 58) + " is a namespace of Kubernetes ..."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			strategy := newStrategy(t)
			old := stored(t)
			updated := old.DeepCopy()
			test.mutate(updated)
			got := strategy.WarningsOnCreate(testContext(), updated)
			for _, warning := range got {
				if len(warning) > 120 {
					t.Errorf("a warning of %d characters: %s", len(warning), warning)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			strategy.PrepareForUpdate(testContext(), updated, old)
			if got := len(strategy.WarningsOnUpdate(testContext(), updated, old)); got != len(test.want) {
				t.Errorf("got %d warnings on update, want %d", got, len(test.want))
			}
			same := updated.DeepCopy()
			strategy.PrepareForUpdate(testContext(), same, updated)
			if got := strategy.WarningsOnUpdate(testContext(), same, updated); got != nil {
				t.Errorf("got warnings about what did not change: %q", got)
			}
		})
	}
}

func TestGetAttrs(t *testing.T) {
	integration := stored(t, func(i *ksit.Integration) { i.Labels = map[string]string{"a": "b"} })
	labels, fields, err := GetAttrs(integration)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "b"}, map[string]string(labels)); diff != "" {
		t.Errorf("labels (-want +got)\n%s", diff)
	}
	want := map[string]string{
		"metadata.name": "argocd", "metadata.namespace": "team-a", "spec.type": "argocd", "status.phase": "Running",
	}
	if diff := cmp.Diff(want, map[string]string(fields)); diff != "" {
		t.Errorf("fields (-want +got)\n%s", diff)
	}
	if _, _, err := GetAttrs(&ksit.Installation{}); err == nil {
		t.Error("an object of another kind is no error")
	}
}
