// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package ksit

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// IntegrationTarget is a Kubernetes cluster that Integrations can be installed on.
type IntegrationTarget struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Spec   IntegrationTargetSpec
	Status IntegrationTargetStatus
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// IntegrationTargetList is a list of IntegrationTargets.
type IntegrationTargetList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []IntegrationTarget
}

// IntegrationTargetSpec says how a cluster is reached.
type IntegrationTargetSpec struct {
	ClusterName      string
	KubeconfigSecret string
	Suspend          bool
	Probe            TargetProbe
	Tenancy          *TargetTenancy
}

// TargetTenancy says who may install on a cluster from other namespaces, and as
// whom.
type TargetTenancy struct {
	AllowedNamespaces []string
	Impersonate       []TenantIdentity
}

// TenantIdentity says as whom KSIT acts on a cluster for the Integrations of a
// namespace.
type TenantIdentity struct {
	Namespace      string
	ServiceAccount string
	User           string
	Groups         []string
}

// TargetProbe holds the times of the probe of a cluster and of what is
// installed on it.
type TargetProbe struct {
	IntervalSeconds  *int32
	TimeoutSeconds   *int32
	FailureThreshold *int32
}

// IntegrationTargetStatus is what KSIT last saw of a cluster.
type IntegrationTargetStatus struct {
	ObservedGeneration  int64
	Ready               bool
	Conditions          []metav1.Condition
	Version             string
	Nodes               *NodeCounts
	Endpoint            string
	CredentialsExpireAt *metav1.Time
	LatencyMilliseconds int64
	LastProbeTime       *metav1.Time
	Installations       int32
}

// NodeCounts counts the nodes of a cluster.
type NodeCounts struct {
	Ready int32
	Total int32
}
