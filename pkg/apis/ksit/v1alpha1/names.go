// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"cmp"

	"k8s.io/apimachinery/pkg/types"
)

// TargetKey names the IntegrationTarget of an Installation.
func (i *Installation) TargetKey() types.NamespacedName {
	return types.NamespacedName{Namespace: cmp.Or(i.Spec.TargetNamespace, i.Namespace), Name: i.Spec.Target}
}
