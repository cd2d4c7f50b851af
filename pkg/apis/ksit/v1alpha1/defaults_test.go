// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

func TestDefaults(t *testing.T) {
	tests := map[string]struct {
		object, want runtime.Object
	}{
		"a target is named after the object and probed every half minute": {
			object: &v1alpha1.IntegrationTarget{
				ObjectMeta: metav1.ObjectMeta{Name: "production"},
			},
			want: &v1alpha1.IntegrationTarget{
				ObjectMeta: metav1.ObjectMeta{Name: "production"},
				Spec:       v1alpha1.IntegrationTargetSpec{ClusterName: "production", Probe: probe(30, 10, 3)},
			},
		},
		"a target that says keeps what it says": {
			object: &v1alpha1.IntegrationTarget{
				ObjectMeta: metav1.ObjectMeta{Name: "production"},
				Spec:       v1alpha1.IntegrationTargetSpec{ClusterName: "eu-1", Probe: probe(60, 5, 1)},
			},
			want: &v1alpha1.IntegrationTarget{
				ObjectMeta: metav1.ObjectMeta{Name: "production"},
				Spec:       v1alpha1.IntegrationTargetSpec{ClusterName: "eu-1", Probe: probe(60, 5, 1)},
			},
		},
		"a name that is yet to be generated is no cluster name": {
			object: &v1alpha1.IntegrationTarget{
				ObjectMeta: metav1.ObjectMeta{GenerateName: "edge-"},
			},
			want: &v1alpha1.IntegrationTarget{
				ObjectMeta: metav1.ObjectMeta{GenerateName: "edge-"},
				Spec:       v1alpha1.IntegrationTargetSpec{Probe: probe(30, 10, 3)},
			},
		},
		"a probe does not outlast a short interval": {
			object: &v1alpha1.IntegrationTarget{
				Spec: v1alpha1.IntegrationTargetSpec{Probe: v1alpha1.TargetProbe{IntervalSeconds: new(int32(5))}},
			},
			want: &v1alpha1.IntegrationTarget{
				Spec: v1alpha1.IntegrationTargetSpec{Probe: probe(5, 5, 3)},
			},
		},
		"an integration is enabled, and not installed unless it says so": {
			object: &v1alpha1.Integration{},
			want:   &v1alpha1.Integration{Spec: v1alpha1.IntegrationSpec{Enabled: new(true)}},
		},
		"an integration may be disabled": {
			object: &v1alpha1.Integration{Spec: v1alpha1.IntegrationSpec{Enabled: new(false)}},
			want:   &v1alpha1.Integration{Spec: v1alpha1.IntegrationSpec{Enabled: new(false)}},
		},
		"what is installed is a Helm chart": {
			object: &v1alpha1.Integration{Spec: v1alpha1.IntegrationSpec{AutoInstall: &v1alpha1.AutoInstall{}}},
			want: &v1alpha1.Integration{Spec: v1alpha1.IntegrationSpec{
				Enabled:     new(true),
				AutoInstall: autoInstall(),
			}},
		},
		"an integration that says how keeps what it says": {
			object: &v1alpha1.Integration{Spec: v1alpha1.IntegrationSpec{AutoInstall: orphaned()}},
			want: &v1alpha1.Integration{Spec: v1alpha1.IntegrationSpec{
				Enabled:     new(true),
				AutoInstall: orphaned(),
			}},
		},
		"an installation has the defaults of its integration": {
			object: &v1alpha1.Installation{Spec: v1alpha1.InstallationSpec{AutoInstall: &v1alpha1.AutoInstall{}}},
			want:   &v1alpha1.Installation{Spec: v1alpha1.InstallationSpec{AutoInstall: autoInstall()}},
		},
		"an installation without autoInstall stays without": {
			object: &v1alpha1.Installation{},
			want:   &v1alpha1.Installation{},
		},
		"values from elsewhere are in values.yaml, and a rollout stops at the first failure": {
			object: &v1alpha1.Integration{Spec: v1alpha1.IntegrationSpec{
				AutoInstall: &v1alpha1.AutoInstall{HelmConfig: &v1alpha1.HelmConfig{ValuesFrom: []v1alpha1.ValuesSource{{Name: "a"}, {Name: "b", Key: "c"}}}},
				Rollout:     &v1alpha1.Rollout{},
			}},
			want: &v1alpha1.Integration{Spec: v1alpha1.IntegrationSpec{
				Enabled: new(true),
				AutoInstall: func() *v1alpha1.AutoInstall {
					a := autoInstall()
					a.HelmConfig = &v1alpha1.HelmConfig{ValuesFrom: []v1alpha1.ValuesSource{{Name: "a", Key: "values.yaml"}, {Name: "b", Key: "c"}}}
					return a
				}(),
				Rollout: &v1alpha1.Rollout{StopAfterFailures: new(intstr.FromInt32(1))},
			}},
		},
		"the items of a list are defaulted": {
			object: &v1alpha1.IntegrationList{Items: []v1alpha1.Integration{{}}},
			want:   &v1alpha1.IntegrationList{Items: []v1alpha1.Integration{{Spec: v1alpha1.IntegrationSpec{Enabled: new(true)}}}},
		},
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			scheme.Default(test.object)
			if diff := cmp.Diff(test.want, test.object); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
			again := test.object.DeepCopyObject()
			scheme.Default(again)
			if diff := cmp.Diff(test.object, again); diff != "" {
				t.Errorf("defaulted twice, once (-) and twice (+):\n%s", diff)
			}
		})
	}
}

func probe(interval, timeout, threshold int32) v1alpha1.TargetProbe {
	return v1alpha1.TargetProbe{IntervalSeconds: &interval, TimeoutSeconds: &timeout, FailureThreshold: &threshold}
}

func autoInstall() *v1alpha1.AutoInstall {
	return &v1alpha1.AutoInstall{
		Method:         v1alpha1.InstallMethodHelm,
		TimeoutSeconds: new(int32(600)),
		CRDPolicy:      v1alpha1.CRDPolicyCreateReplace,
		DeletionPolicy: v1alpha1.DeletionPolicyDelete,
		AdoptionPolicy: v1alpha1.AdoptionPolicyAdopt,
		Remediation:    &v1alpha1.Remediation{Retries: new(int32(5)), Strategy: v1alpha1.RemediationRollback},
		Drift:          &v1alpha1.Drift{Mode: v1alpha1.DriftWarn},
	}
}

func orphaned() *v1alpha1.AutoInstall {
	return &v1alpha1.AutoInstall{
		Enabled:        true,
		Method:         v1alpha1.InstallMethodManifest,
		TimeoutSeconds: new(int32(60)),
		CRDPolicy:      v1alpha1.CRDPolicySkip,
		DeletionPolicy: v1alpha1.DeletionPolicyOrphan,
		AdoptionPolicy: v1alpha1.AdoptionPolicyRefuse,
		Remediation:    &v1alpha1.Remediation{Retries: new(int32(0)), Strategy: v1alpha1.RemediationLeave},
		Drift:          &v1alpha1.Drift{Mode: v1alpha1.DriftCorrect},
	}
}
