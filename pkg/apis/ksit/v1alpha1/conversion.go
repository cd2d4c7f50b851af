// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
)

// selectableFields are the field selectors of each kind, next to
// metadata.name and metadata.namespace. The registry computes their values.
func selectableFields() map[string][]string {
	return map[string][]string{
		"Integration":       {"spec.type", "status.phase"},
		"IntegrationTarget": {"spec.clusterName", "status.ready"},
		"Installation":      {"spec.integration", "spec.target", "spec.targetNamespace", "spec.type", "status.phase"},
	}
}

func addFieldLabelConversions(scheme *runtime.Scheme) error {
	for kind, fields := range selectableFields() {
		fields = append(fields, "metadata.name", "metadata.namespace")
		slices.Sort(fields)
		err := scheme.AddFieldLabelConversionFunc(SchemeGroupVersion.WithKind(kind),
			func(label, value string) (string, string, error) {
				if !slices.Contains(fields, label) {
					return "", "", fmt.Errorf("field selector %q is not supported: %s has %q", label, kind, fields)
				}
				return label, value, nil
			})
		if err != nil {
			return fmt.Errorf("registering the field selectors of %s: %w", kind, err)
		}
	}
	return nil
}
