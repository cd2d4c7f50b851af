// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// A field selector needs the API version to know its label, and the registry
// to know its value. This is the first half.
func TestFieldLabels(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		kind, label string
		ok          bool
	}{
		{"Integration", "metadata.name", true},
		{"Integration", "metadata.namespace", true},
		{"Integration", "spec.type", true},
		{"Integration", "status.phase", true},
		{"Integration", "spec.target", false},
		{"Integration", "spec.targetClusters", false},
		{"IntegrationTarget", "metadata.name", true},
		{"IntegrationTarget", "spec.clusterName", true},
		{"IntegrationTarget", "status.ready", true},
		{"IntegrationTarget", "spec.kubeconfigSecret", false},
		{"Installation", "spec.integration", true},
		{"Installation", "spec.target", true},
		{"Installation", "spec.type", true},
		{"Installation", "status.phase", true},
		{"Installation", "", false},
	}
	for _, test := range tests {
		t.Run(test.kind+"/"+test.label, func(t *testing.T) {
			label, value, err := scheme.ConvertFieldLabel(v1alpha1.SchemeGroupVersion.WithKind(test.kind), test.label, "x")
			switch {
			case !test.ok && err == nil:
				t.Error("accepted, want an error")
			case test.ok && (err != nil || label != test.label || value != "x"):
				t.Errorf("got %q, %q, %v; want it back as it was", label, value, err)
			}
		})
	}
}
