// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-base/metrics"
)

func keyOf(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "team", Name: name}
}

// valuesOf returns the samples of a metric, by their labels as they are written.
func valuesOf(t *testing.T, registry metrics.KubeRegistry, name string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", label.GetName(), label.GetValue()))
			}
			values[strings.Join(labels, ",")] = metric.GetGauge().GetValue()
		}
	}
	return values
}
