// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"cmp"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/object"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	crdKind       = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
	namespaceKind = schema.GroupKind{Kind: "Namespace"}
	secretKind    = schema.GroupKind{Kind: "Secret"}
)

// stage is a step of an apply: all objects of a stage are applied before the
// next begins. Uninstalling takes the steps back.
type stage int

const (
	stageNamespaces stage = iota
	stageCRDs
	// stageFoundations is what others refer to when they are made: classes,
	// quotas, accounts and their rights, configuration, services.
	stageFoundations
	stageWorkloads
	// stageCustom comes after the workloads that validate and reconcile custom
	// resources, and is taken back before they go: they clear its finalizers.
	stageCustom
	// stageWebhooks comes last, so that no webhook is asked about the objects
	// that its own server consists of.
	stageWebhooks
	stageCount
)

func stageOf(gk schema.GroupKind) stage {
	switch {
	case gk == namespaceKind:
		return stageNamespaces
	case gk == crdKind:
		return stageCRDs
	case gk.Group == "admissionregistration.k8s.io":
		return stageWebhooks
	case custom(gk.Group):
		return stageCustom
	case strings.HasSuffix(gk.Kind, "Class"), gk.Group == "rbac.authorization.k8s.io":
		return stageFoundations
	}
	switch gk.Kind {
	case "ResourceQuota", "LimitRange", "ServiceAccount", "ConfigMap", "Secret", "Service",
		"PersistentVolume", "PersistentVolumeClaim", "NetworkPolicy", "PodDisruptionBudget":
		return stageFoundations
	}
	return stageWorkloads
}

// custom tells groups of custom resources from those of Kubernetes. Groups
// under k8s.io that are made of CRDs, such as gateway.networking.k8s.io, are
// taken for Kubernetes' own, which costs them nothing but their place.
func custom(group string) bool {
	return strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io")
}

// kept tells what is never deleted: it takes with it what is not ours.
func kept(gk schema.GroupKind) bool { return gk == crdKind || gk == namespaceKind }

// compareRefs orders by stage, and within one so that the same objects have
// the same order each time.
func compareRefs(a, b object.ObjMetadata) int {
	return cmp.Or(
		cmp.Compare(stageOf(a.GroupKind), stageOf(b.GroupKind)),
		cmp.Compare(a.GroupKind.Group, b.GroupKind.Group),
		cmp.Compare(a.GroupKind.Kind, b.GroupKind.Kind),
		cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Name, b.Name),
	)
}

// describe names an object in messages.
func describe(ref object.ObjMetadata) string {
	if ref.Namespace == "" {
		return ref.GroupKind.Kind + " " + ref.Name
	}
	return ref.GroupKind.Kind + " " + ref.Namespace + "/" + ref.Name
}
