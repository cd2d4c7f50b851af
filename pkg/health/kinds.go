// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import "k8s.io/apimachinery/pkg/runtime/schema"

var (
	deploymentKind            = schema.GroupKind{Group: "apps", Kind: "Deployment"}
	statefulSetKind           = schema.GroupKind{Group: "apps", Kind: "StatefulSet"}
	daemonSetKind             = schema.GroupKind{Group: "apps", Kind: "DaemonSet"}
	replicaSetKind            = schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}
	jobKind                   = schema.GroupKind{Group: "batch", Kind: "Job"}
	podKind                   = schema.GroupKind{Kind: "Pod"}
	serviceKind               = schema.GroupKind{Kind: "Service"}
	replicationControllerKind = schema.GroupKind{Kind: "ReplicationController"}
	crdKind                   = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
	apiServiceKind            = schema.GroupKind{Group: "apiregistration.k8s.io", Kind: "APIService"}
	validatingWebhookKind     = schema.GroupKind{Group: "admissionregistration.k8s.io", Kind: "ValidatingWebhookConfiguration"}
	mutatingWebhookKind       = schema.GroupKind{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration"}
)

// isWorkload is true for the kinds that run pods until they are deleted.
func isWorkload(kind schema.GroupKind) bool {
	switch kind {
	case deploymentKind, statefulSetKind, daemonSetKind, replicaSetKind, replicationControllerKind:
		return true
	default:
		return false
	}
}

// isInert is true for the kinds that are as they should be when they are there.
// Their content is never read: it may be secret, and it may be large.
func isInert(kind schema.GroupKind) bool {
	switch kind.Group {
	case "rbac.authorization.k8s.io", "scheduling.k8s.io", "coordination.k8s.io", "node.k8s.io",
		"storage.k8s.io", "discovery.k8s.io", "flowcontrol.apiserver.k8s.io", "admissionregistration.k8s.io":
		return true
	case "":
		switch kind.Kind {
		case "ConfigMap", "Secret", "ServiceAccount", "Namespace", "Endpoints", "LimitRange",
			"ResourceQuota", "PodTemplate", "Event", "Node":
			return true
		}
	case "networking.k8s.io":
		switch kind.Kind {
		case "NetworkPolicy", "IngressClass", "Ingress":
			return true
		}
	case "policy":
		return kind.Kind == "PodSecurityPolicy"
	case "autoscaling":
		return true
	case "batch":
		return kind.Kind == "CronJob"
	case "monitoring.coreos.com":
		switch kind.Kind {
		case "PrometheusRule", "ServiceMonitor", "PodMonitor", "Probe", "ScrapeConfig", "AlertmanagerConfig":
			return true
		}
	}
	return false
}

// isBuiltIn is true for the kinds of Kubernetes itself, whose objects are small
// and which are read by list; those of others are read one by one.
func isBuiltIn(kind schema.GroupKind) bool {
	switch kind.Group {
	case "", "apps", "batch", "policy", "autoscaling":
		return true
	default:
		return false
	}
}
