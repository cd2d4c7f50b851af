// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"ksit.io/ksit/pkg/apis/ksit"
)

func after(names ...string) []ksit.IntegrationDependency {
	var all []ksit.IntegrationDependency
	for _, name := range names {
		all = append(all, ksit.IntegrationDependency{Name: name})
	}
	return all
}

func TestValidateDependencies(t *testing.T) {
	for name, test := range map[string]struct {
		dependencies []ksit.IntegrationDependency
		want         []string
	}{
		"none":       {},
		"some":       {dependencies: after("cert-manager", "prometheus")},
		"16":         {dependencies: after(names(16)...)},
		"17":         {dependencies: after(names(17)...), want: []string{"spec.dependsOn: must have at most 16 items"}},
		"itself":     {dependencies: after("argocd"), want: []string{"spec.dependsOn[0].name: an Integration cannot come before itself"}},
		"twice":      {dependencies: after("a", "a"), want: []string{`spec.dependsOn[1].name: Duplicate value: "a"`}},
		"no name":    {dependencies: after(""), want: []string{"spec.dependsOn[0].name: Required value: the name of an Integration"}},
		"a bad name": {dependencies: after("Cert_Manager"), want: []string{"spec.dependsOn[0].name: lower case"}},
		"one of another namespace": {
			dependencies: after("team-b/cert-manager"), want: []string{"spec.dependsOn[0].name: lower case"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, ValidateIntegration(validIntegration(func(i *ksit.Integration) { i.Spec.DependsOn = test.dependencies })), test.want...)
			expect(t, ValidateInstallation(validInstallation(func(i *ksit.Installation) { i.Spec.DependsOn = test.dependencies })), test.want...)
		})
	}
}

func TestValidateRollout(t *testing.T) {
	selecting := func(value string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"ring": value}}
	}
	partitions := func(all ...ksit.RolloutPartition) ksit.Rollout { return ksit.Rollout{Partitions: all} }
	many := make([]ksit.RolloutPartition, 21)
	for i, name := range names(21) {
		many[i] = ksit.RolloutPartition{Name: name, TargetSelector: selecting("x")}
	}
	for name, test := range map[string]struct {
		rollout ksit.Rollout
		want    []string
	}{
		"empty": {},
		"whole": {rollout: ksit.Rollout{
			MaxConcurrent: ptr(intstr.FromString("25%")), StopAfterFailures: ptr(intstr.FromInt32(2)), Paused: true,
			Partitions: []ksit.RolloutPartition{
				{Name: "canary", TargetSelector: selecting("0"), SoakSeconds: ptr(int32(604800))},
				{Name: "rest", TargetSelector: selecting("1"), SoakSeconds: ptr(int32(0))},
			},
		}},
		"20 partitions": {rollout: partitions(many[:20]...)},
		"21 partitions": {rollout: partitions(many...), want: []string{"spec.rollout.partitions: must have at most 20 items"}},
		"a partition without anything": {
			rollout: partitions(ksit.RolloutPartition{}),
			want:    []string{"spec.rollout.partitions[0].name: Required", "spec.rollout.partitions[0].targetSelector: Required"},
		},
		"a partition of everything": {
			rollout: partitions(ksit.RolloutPartition{Name: "all", TargetSelector: &metav1.LabelSelector{}}),
			want:    []string{"spec.rollout.partitions[0].targetSelector: Required value: an empty selector would select every target"},
		},
		"a partition with a bad selector": {
			rollout: partitions(ksit.RolloutPartition{Name: "a", TargetSelector: selecting("no spaces")}),
			want:    []string{"spec.rollout.partitions[0].targetSelector.matchLabels: a valid label"},
		},
		"partitions of one name": {
			rollout: partitions(ksit.RolloutPartition{Name: "a", TargetSelector: selecting("1")}, ksit.RolloutPartition{Name: "a", TargetSelector: selecting("2")}),
			want:    []string{`spec.rollout.partitions[1].name: Duplicate value: "a"`},
		},
		"a partition with a bad name": {
			rollout: partitions(ksit.RolloutPartition{Name: "Ring 0", TargetSelector: selecting("0")}),
			want:    []string{"spec.rollout.partitions[0].name: lower case"},
		},
		"soak times out of bounds": {
			rollout: partitions(
				ksit.RolloutPartition{Name: "a", TargetSelector: selecting("1"), SoakSeconds: ptr(int32(-1))},
				ksit.RolloutPartition{Name: "b", TargetSelector: selecting("2"), SoakSeconds: ptr(int32(604801))}),
			want: []string{
				"spec.rollout.partitions[0].soakSeconds: must be between 0 and 604800",
				"spec.rollout.partitions[1].soakSeconds: must be between 0 and 604800",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, ValidateIntegration(validIntegration(func(i *ksit.Integration) { i.Spec.Rollout = &test.rollout })), test.want...)
		})
	}
}

func TestValidateShareOfClusters(t *testing.T) {
	const form = "must be a number of clusters, such as 2, or a percentage"
	for name, test := range map[string]struct {
		share intstr.IntOrString
		want  string
	}{
		"one":                       {share: intstr.FromInt32(1)},
		"none":                      {share: intstr.FromInt32(0), want: "must be at least 1: to hold every change back, set paused"},
		"less than none":            {share: intstr.FromInt32(-1), want: "must be at least 1"},
		"a percentage":              {share: intstr.FromString("1%")},
		"all":                       {share: intstr.FromString("100%")},
		"more than all":             {share: intstr.FromString("101%"), want: form},
		"no percent":                {share: intstr.FromString("0%"), want: "to hold every change back, set paused"},
		"a number in quotes":        {share: intstr.FromString("5"), want: form},
		"a fraction of a percent":   {share: intstr.FromString("2.5%"), want: form},
		"a negative percentage":     {share: intstr.FromString("-5%"), want: form},
		"words":                     {share: intstr.FromString("half"), want: form},
		"nothing":                   {share: intstr.FromString(""), want: form},
		"a percentage with a space": {share: intstr.FromString("5 %"), want: form},
	} {
		t.Run(name, func(t *testing.T) {
			integration := validIntegration(func(i *ksit.Integration) { i.Spec.Rollout = &ksit.Rollout{MaxConcurrent: &test.share} })
			var want []string
			if test.want != "" {
				want = []string{"spec.rollout.maxConcurrent: " + test.want}
			}
			expect(t, ValidateIntegration(integration), want...)
		})
	}
	t.Run("failures", func(t *testing.T) {
		integration := validIntegration(func(i *ksit.Integration) {
			i.Spec.Rollout = &ksit.Rollout{StopAfterFailures: ptr(intstr.FromInt32(0))}
		})
		expect(t, ValidateIntegration(integration), "spec.rollout.stopAfterFailures: must be at least 1: to go on whatever fails, give 100%")
	})
}
