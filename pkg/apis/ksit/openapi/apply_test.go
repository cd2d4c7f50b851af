// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package openapi_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/sets"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/kube-openapi/pkg/builder3"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	ksitopenapi "ksit.io/ksit/pkg/apis/ksit/openapi"
	ksitscheme "ksit.io/ksit/pkg/apis/ksit/scheme"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// newConverter makes the converter that server-side apply works with, in the
// way in which the API server makes its own.
func newConverter(t *testing.T) managedfields.TypeConverter {
	t.Helper()
	set, err := ksitscheme.New()
	if err != nil {
		t.Fatal(err)
	}
	config := genericapiserver.DefaultOpenAPIV3Config(ksitopenapi.GetOpenAPIDefinitions, openapinamer.NewDefinitionNamer(set.Scheme))
	schemas, err := builder3.BuildOpenAPIDefinitionsForResources(config,
		v1alpha1.Installation{}.OpenAPIModelName(),
		v1alpha1.Integration{}.OpenAPIModelName(),
		v1alpha1.IntegrationTarget{}.OpenAPIModelName(),
	)
	if err != nil {
		t.Fatalf("building the schemas: %v", err)
	}
	converter, err := managedfields.NewTypeConverter(schemas, false)
	if err != nil {
		t.Fatalf("making the converter: %v", err)
	}
	return converter
}

// TestOwnedFields shows in which units managers own the fields of an object.
func TestOwnedFields(t *testing.T) {
	integration := metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "Integration"}
	tests := map[string]struct {
		object runtime.Object
		want   []fieldpath.Path
	}{
		"a chart value by its place": {
			object: &v1alpha1.Integration{TypeMeta: integration, Spec: v1alpha1.IntegrationSpec{
				AutoInstall: &v1alpha1.AutoInstall{HelmConfig: &v1alpha1.HelmConfig{
					ValuesObject: &runtime.RawExtension{Raw: []byte(`{"server":{"replicas":2,"args":["--insecure"]}}`)},
				}},
			}},
			want: []fieldpath.Path{
				fieldpath.MakePathOrDie("spec", "autoInstall", "helmConfig", "valuesObject", "server", "replicas"),
				fieldpath.MakePathOrDie("spec", "autoInstall", "helmConfig", "valuesObject", "server", "args"),
			},
		},
		"a setting by its key, the clusters together": {
			object: &v1alpha1.Integration{TypeMeta: integration, Spec: v1alpha1.IntegrationSpec{
				Config:         map[string]string{"namespace": "argocd"},
				TargetClusters: []string{"a", "b"},
			}},
			want: []fieldpath.Path{
				fieldpath.MakePathOrDie("spec", "config", "namespace"),
				fieldpath.MakePathOrDie("spec", "targetClusters"),
			},
		},
		"a condition by its type, a summary by its cluster": {
			object: &v1alpha1.Integration{TypeMeta: integration, Status: v1alpha1.IntegrationStatus{
				Conditions:      []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}},
				TargetSummaries: []v1alpha1.TargetSummary{{Target: "a", Phase: v1alpha1.PhaseRunning}},
			}},
			want: []fieldpath.Path{
				fieldpath.MakePathOrDie("status", "conditions", fieldpath.KeyByFields("type", "Ready"), "status"),
				fieldpath.MakePathOrDie("status", "targetSummaries", fieldpath.KeyByFields("target", "a"), "phase"),
			},
		},
		"the probe of a target by its times": {
			object: &v1alpha1.IntegrationTarget{
				TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "IntegrationTarget"},
				Spec:     v1alpha1.IntegrationTargetSpec{Probe: v1alpha1.TargetProbe{IntervalSeconds: new(int32)}},
			},
			want: []fieldpath.Path{fieldpath.MakePathOrDie("spec", "probe", "intervalSeconds")},
		},
		"the checks of an installation together": {
			object: &v1alpha1.Installation{
				TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "Installation"},
				Status:   v1alpha1.InstallationStatus{Checks: []v1alpha1.CheckResult{{Name: "objects", State: v1alpha1.CheckPassed}}},
			},
			want: []fieldpath.Path{fieldpath.MakePathOrDie("status", "checks")},
		},
	}
	converter := newConverter(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			value, err := converter.ObjectToTyped(test.object, typed.AllowDuplicates)
			if err != nil {
				t.Fatal(err)
			}
			set, err := value.ToFieldSet()
			if err != nil {
				t.Fatal(err)
			}
			owned := sets.New[string]()
			set.Leaves().Iterate(func(path fieldpath.Path) { owned.Insert(path.String()) })
			for _, path := range test.want {
				if !owned.Has(path.String()) {
					t.Errorf("%s is not owned by itself; owned are %v", path, sets.List(owned))
				}
			}
		})
	}
}
