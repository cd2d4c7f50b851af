// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

// DriftFound counts objects that were found not to be as they were applied.
func (m *Metrics) DriftFound(integrationType string, objects int) {
	m.drifted.WithLabelValues(integrationType).Add(float64(objects))
}

// DriftCorrected counts objects that were brought back to what was applied.
func (m *Metrics) DriftCorrected(integrationType string, objects int) {
	m.corrected.WithLabelValues(integrationType).Add(float64(objects))
}
