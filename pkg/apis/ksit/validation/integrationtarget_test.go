// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit"
)

func TestValidateIntegrationTarget(t *testing.T) {
	for name, test := range map[string]struct {
		mutate func(*ksit.IntegrationTarget)
		want   []string
	}{
		"valid":    {mutate: func(*ksit.IntegrationTarget) {}},
		"no probe": {mutate: func(i *ksit.IntegrationTarget) { i.Spec.Probe = ksit.TargetProbe{} }},
		"name is no DNS label": {
			mutate: func(i *ksit.IntegrationTarget) { i.Name = "a.b" },
			want:   []string{"metadata.name: must not contain dots"},
		},
		"no cluster name": {
			mutate: func(i *ksit.IntegrationTarget) { i.Spec.ClusterName = "" },
			want:   []string{"spec.clusterName: Required"},
		},
		"cluster name is no DNS label": {
			mutate: func(i *ksit.IntegrationTarget) { i.Spec.ClusterName = "Prod 1" },
			want:   []string{"spec.clusterName: lower case"},
		},
		"no secret": {
			mutate: func(i *ksit.IntegrationTarget) { i.Spec.KubeconfigSecret = "" },
			want:   []string{"spec.kubeconfigSecret: Required value: the name of the Secret in this namespace"},
		},
		"secret with a path": {
			mutate: func(i *ksit.IntegrationTarget) { i.Spec.KubeconfigSecret = "kube-system/admin" },
			want:   []string{"spec.kubeconfigSecret: is no name of a Secret"},
		},
		"probe bounds": {mutate: func(i *ksit.IntegrationTarget) {
			i.Spec.Probe = ksit.TargetProbe{IntervalSeconds: ptr(int32(5)), TimeoutSeconds: ptr(int32(5)), FailureThreshold: ptr(int32(1))}
		}},
		"probe upper bounds": {mutate: func(i *ksit.IntegrationTarget) {
			i.Spec.Probe = ksit.TargetProbe{IntervalSeconds: ptr(int32(3600)), TimeoutSeconds: ptr(int32(300)), FailureThreshold: ptr(int32(100))}
		}},
		"probe below": {
			mutate: func(i *ksit.IntegrationTarget) {
				i.Spec.Probe = ksit.TargetProbe{IntervalSeconds: ptr(int32(4)), TimeoutSeconds: ptr(int32(4)), FailureThreshold: ptr(int32(0))}
			},
			want: []string{"spec.probe.intervalSeconds: between 5 and 3600", "spec.probe.failureThreshold: between 1 and 100"},
		},
		"probe above": {
			mutate: func(i *ksit.IntegrationTarget) {
				i.Spec.Probe = ksit.TargetProbe{IntervalSeconds: ptr(int32(3601)), TimeoutSeconds: ptr(int32(301)), FailureThreshold: ptr(int32(101))}
			},
			want: []string{
				"spec.probe.intervalSeconds: between 5 and 3600", "spec.probe.failureThreshold: between 1 and 100",
				"spec.probe.timeoutSeconds: between 1 and 300",
			},
		},
		"timeout over interval": {
			mutate: func(i *ksit.IntegrationTarget) { i.Spec.Probe.TimeoutSeconds = ptr(int32(31)) },
			want:   []string{"spec.probe.timeoutSeconds: must not be more than intervalSeconds"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, ValidateIntegrationTarget(validTarget(test.mutate)), test.want...)
		})
	}
}

func TestValidateIntegrationTargetUpdate(t *testing.T) {
	for name, test := range map[string]struct {
		mutate func(*ksit.IntegrationTarget)
		want   []string
	}{
		"nothing": {mutate: func(*ksit.IntegrationTarget) {}},
		"secret":  {mutate: func(i *ksit.IntegrationTarget) { i.Spec.KubeconfigSecret = "other" }},
		"suspend": {mutate: func(i *ksit.IntegrationTarget) { i.Spec.Suspend = true }},
		"cluster name": {
			mutate: func(i *ksit.IntegrationTarget) { i.Spec.ClusterName = "other" },
			want:   []string{`spec.clusterName: field is immutable, it is "production-cluster-1"`},
		},
		"to something invalid": {
			mutate: func(i *ksit.IntegrationTarget) { i.Spec.KubeconfigSecret = "" },
			want:   []string{"spec.kubeconfigSecret: Required"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, ValidateIntegrationTargetUpdate(validTarget(test.mutate), validTarget()), test.want...)
		})
	}
}

func TestValidateIntegrationTargetStatusUpdate(t *testing.T) {
	for name, test := range map[string]struct {
		status ksit.IntegrationTargetStatus
		want   []string
	}{
		"empty": {},
		"full": {status: ksit.IntegrationTargetStatus{
			Ready: true, Conditions: validConditions(), Nodes: &ksit.NodeCounts{Ready: 2, Total: 3}, LatencyMilliseconds: 12, Installations: 4,
		}},
		"negative": {
			status: ksit.IntegrationTargetStatus{
				ObservedGeneration: -1, LatencyMilliseconds: -1, Installations: -1, Nodes: &ksit.NodeCounts{Ready: -2, Total: -1},
			},
			want: []string{
				"status.observedGeneration: negative", "status.latencyMilliseconds: negative", "status.installations: negative",
				"status.nodes.ready: negative", "status.nodes.total: negative",
			},
		},
		"more ready than there are": {
			status: ksit.IntegrationTargetStatus{Nodes: &ksit.NodeCounts{Ready: 3, Total: 2}},
			want:   []string{"status.nodes.ready: must not be more than total"},
		},
		"conditions": {
			status: ksit.IntegrationTargetStatus{Conditions: []metav1.Condition{{
				Type: "Ready", Status: "True", Reason: "no reason", LastTransitionTime: validConditions()[0].LastTransitionTime,
				Message: strings.Repeat("x", 32<<10+1),
			}}},
			want: []string{"status.conditions[0].reason: a condition reason must", "status.conditions[0].message: may not be more than"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			target := validTarget(func(i *ksit.IntegrationTarget) { i.Status = test.status })
			expect(t, ValidateIntegrationTargetStatusUpdate(target), test.want...)
		})
	}
}
