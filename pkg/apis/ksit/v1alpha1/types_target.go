// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +genclient
// +genclient:method=Reconcile,verb=create,subresource=reconcile,input=ReconcileRequest,result=ReconcileRequest
// +genclient:method=GetHealth,verb=get,subresource=health,result=IntegrationTargetHealth
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// IntegrationTarget is a Kubernetes cluster that Integrations can be installed on.
type IntegrationTarget struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec says how the cluster is reached and how often it is probed.
	// +optional
	Spec IntegrationTargetSpec `json:"spec,omitempty" protobuf:"bytes,2,opt,name=spec"`
	// status is what KSIT last saw of the cluster. Written by the controller only.
	// +optional
	Status IntegrationTargetStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// IntegrationTargetList is a list of IntegrationTargets.
type IntegrationTargetList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	// items is the list of IntegrationTargets.
	Items []IntegrationTarget `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// IntegrationTargetSpec says how a cluster is reached.
type IntegrationTargetSpec struct {
	// clusterName is the name of the cluster, a DNS label of at most 63
	// characters. Defaults to metadata.name. Immutable.
	// +optional
	ClusterName string `json:"clusterName,omitempty" protobuf:"bytes,1,opt,name=clusterName"`
	// kubeconfigSecret is the name of the Secret, in the namespace of this
	// object, that holds the kubeconfig of the cluster under the key
	// `kubeconfig`, else `value` (the key that Cluster API writes). Only inline
	// credentials are accepted: exec plug-ins, auth providers and references to
	// files are refused. When the content of the Secret changes, the connection
	// is made anew.
	KubeconfigSecret string `json:"kubeconfigSecret" protobuf:"bytes,2,opt,name=kubeconfigSecret"`
	// suspend stops all installs and probes on this cluster while true. The
	// last status stays, and says so.
	// +optional
	Suspend bool `json:"suspend,omitempty" protobuf:"varint,3,opt,name=suspend"`
	// probe says how often the cluster is probed and when it counts as lost.
	// +optional
	Probe TargetProbe `json:"probe,omitempty" protobuf:"bytes,4,opt,name=probe"`
	// tenancy says which other namespaces may install on this cluster, and as
	// whom KSIT acts there for whom. Absent, only Integrations of this namespace
	// may, and KSIT acts with all the power of the kubeconfig.
	// +optional
	Tenancy *TargetTenancy `json:"tenancy,omitempty" protobuf:"bytes,5,opt,name=tenancy"`
}

// TargetTenancy says who may install on a cluster from other namespaces, and as
// whom.
type TargetTenancy struct {
	// allowedNamespaces are the other namespaces whose Integrations may name this
	// target, as `namespace/name`; `*` stands for all. At most 256. Whoever
	// writes such an Integration needs the verb `use` on this target as well.
	// +optional
	// +listType=set
	AllowedNamespaces []string `json:"allowedNamespaces,omitempty" protobuf:"bytes,1,rep,name=allowedNamespaces"`
	// impersonate says as whom KSIT acts on the cluster, by the namespace of the
	// Integration; at most 256. For a namespace that has no entry, and no entry
	// for `*` stands in for, it acts with the power of the kubeconfig.
	// +optional
	// +listType=map
	// +listMapKey=namespace
	Impersonate []TenantIdentity `json:"impersonate,omitempty" protobuf:"bytes,2,rep,name=impersonate"`
}

// TenantIdentity says as whom KSIT acts on a cluster for the Integrations of a
// namespace: as a service account, or as a user. The kubeconfig must have the
// right to impersonate it.
type TenantIdentity struct {
	// namespace is that of the Integrations; `*` stands for every namespace that
	// has no entry of its own, that of the target included.
	Namespace string `json:"namespace" protobuf:"bytes,1,opt,name=namespace"`
	// serviceAccount is namespace/name of a service account on the cluster.
	// `{namespace}` in it stands for the namespace of the Integration.
	// +optional
	ServiceAccount string `json:"serviceAccount,omitempty" protobuf:"bytes,2,opt,name=serviceAccount"`
	// user is the name of a user. `{namespace}` in it stands for the namespace of
	// the Integration. Names that begin with `system:` are refused.
	// +optional
	User string `json:"user,omitempty" protobuf:"bytes,3,opt,name=user"`
	// groups are the groups of user, at most 16. `{namespace}` in one stands for
	// the namespace of the Integration. Names that begin with `system:` are
	// refused.
	// +optional
	// +listType=atomic
	Groups []string `json:"groups,omitempty" protobuf:"bytes,4,rep,name=groups"`
}

// TargetProbe holds the times of the probe of a cluster and of what is
// installed on it.
type TargetProbe struct {
	// intervalSeconds is the time between two probes, in seconds. Default 30;
	// from 5 to 3600. Probes are jittered by up to a tenth of it.
	// +optional
	IntervalSeconds *int32 `json:"intervalSeconds,omitempty" protobuf:"varint,1,opt,name=intervalSeconds"`
	// timeoutSeconds bounds one probe, in seconds. Default 10; from 1 to 300,
	// and not more than intervalSeconds.
	// +optional
	TimeoutSeconds *int32 `json:"timeoutSeconds,omitempty" protobuf:"varint,2,opt,name=timeoutSeconds"`
	// failureThreshold is how many probes in a row must fail before the
	// cluster, or an installation on it, counts as unhealthy. Default 3; from 1
	// to 100.
	// +optional
	FailureThreshold *int32 `json:"failureThreshold,omitempty" protobuf:"varint,3,opt,name=failureThreshold"`
}

// IntegrationTargetStatus is what KSIT last saw of a cluster.
type IntegrationTargetStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty" protobuf:"varint,1,opt,name=observedGeneration"`
	// ready is true while the cluster can be installed on: the same as the
	// condition Ready.
	// +optional
	Ready bool `json:"ready,omitempty" protobuf:"varint,2,opt,name=ready"`
	// conditions are Ready, CredentialsValid (the Secret holds a kubeconfig that
	// KSIT accepts and that has not expired), Reachable (the API server answers)
	// and Authorized (the credentials may do what installing needs).
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,3,rep,name=conditions"`
	// version is the version of the cluster's Kubernetes API server, such as v1.37.2.
	// +optional
	Version string `json:"version,omitempty" protobuf:"bytes,4,opt,name=version"`
	// nodes counts the nodes of the cluster. Absent when the credentials may not
	// list nodes.
	// +optional
	Nodes *NodeCounts `json:"nodes,omitempty" protobuf:"bytes,5,opt,name=nodes"`
	// endpoint is the URL of the cluster's API server.
	// +optional
	Endpoint string `json:"endpoint,omitempty" protobuf:"bytes,6,opt,name=endpoint"`
	// credentialsExpireAt is when the client certificate or the bearer token of
	// the kubeconfig ends. Absent when it does not say.
	// +optional
	CredentialsExpireAt *metav1.Time `json:"credentialsExpireAt,omitempty" protobuf:"bytes,7,opt,name=credentialsExpireAt"`
	// latencyMilliseconds is the round trip to the API server, in milliseconds,
	// as last written: it is rewritten only when it changes much.
	// +optional
	LatencyMilliseconds int64 `json:"latencyMilliseconds,omitempty" protobuf:"varint,8,opt,name=latencyMilliseconds"`
	// lastProbeTime is when the cluster was last probed, as last written: a
	// probe that finds what the one before it found does not write, except
	// once every ten minutes.
	// +optional
	LastProbeTime *metav1.Time `json:"lastProbeTime,omitempty" protobuf:"bytes,9,opt,name=lastProbeTime"`
	// installations counts the Installations on this cluster.
	// +optional
	Installations int32 `json:"installations,omitempty" protobuf:"varint,10,opt,name=installations"`
}

// NodeCounts counts the nodes of a cluster.
type NodeCounts struct {
	// ready is how many nodes are Ready.
	Ready int32 `json:"ready" protobuf:"varint,1,opt,name=ready"`
	// total is how many nodes there are.
	Total int32 `json:"total" protobuf:"varint,2,opt,name=total"`
}
