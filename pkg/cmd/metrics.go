// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	componentmetrics "k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

// registry registers metrics where the process serves them, at /metrics.
type registry struct{}

func (registry) Register(metric componentmetrics.Registerable) error {
	return legacyregistry.Register(metric)
}

func (registry) CustomRegister(collector componentmetrics.StableCollector) error {
	return legacyregistry.CustomRegister(collector)
}
