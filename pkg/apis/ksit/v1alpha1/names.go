// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"cmp"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// TargetKey names the IntegrationTarget of an Installation.
func (i *Installation) TargetKey() types.NamespacedName {
	return types.NamespacedName{Namespace: cmp.Or(i.Spec.TargetNamespace, i.Namespace), Name: i.Spec.Target}
}

// TargetName is what a user of this namespace calls the target of an
// Installation: by its name, or by namespace/name where it is in another one.
func (i *Installation) TargetName() string { return TargetName(i.Namespace, i.TargetKey()) }

// TargetName is what a user of a namespace calls a target.
func TargetName(namespace string, target types.NamespacedName) string {
	if target.Namespace == namespace {
		return target.Name
	}
	return target.Namespace + "/" + target.Name
}

// ParseTarget reads what a user of a namespace calls a target.
func ParseTarget(namespace, name string) types.NamespacedName {
	if of, inIt, qualified := strings.Cut(name, "/"); qualified {
		return types.NamespacedName{Namespace: of, Name: inIt}
	}
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// InstallationName is the name of the Installation of an Integration on a
// target, in the namespace of the Integration.
func InstallationName(integration, namespace string, target types.NamespacedName) string {
	if target.Namespace == namespace {
		return integration + "." + target.Name
	}
	return integration + "." + target.Namespace + "." + target.Name
}
