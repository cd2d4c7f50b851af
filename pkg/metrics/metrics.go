// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metrics holds the metrics of KSIT's controllers. Their names and
// labels are an interface: dashboards and alerts are built on them.
package metrics

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-base/metrics"
)

// Registry is where metrics are registered: the registries of component-base
// are.
type Registry interface {
	Register(metrics.Registerable) error
}

// Metrics of the controllers. Labels have few values each: names of targets,
// which grow with the fleet, and words of KSIT's own.
type Metrics struct {
	reconcile  *metrics.HistogramVec
	connection *metrics.GaugeVec
	succeeded  *metrics.CounterVec
	failed     *metrics.CounterVec
	drifted    *metrics.CounterVec
	corrected  *metrics.CounterVec
}

// New makes the metrics and registers them. It fails when the registry has
// metrics of these names already.
func New(registry Registry) (*Metrics, error) {
	m := &Metrics{
		reconcile: metrics.NewHistogramVec(&metrics.HistogramOpts{
			Name: "ksit_integration_reconcile_duration_seconds",
			Help: "How long one reconcile took, in seconds, by controller (integration, target, installation, operation) " +
				"and result (success, error). An install or an upgrade is a reconcile of the controller operation.",
			Buckets:        []float64{.001, .005, .02, .1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800},
			StabilityLevel: metrics.ALPHA,
		}, []string{"controller", "result"}),
		connection: metrics.NewGaugeVec(&metrics.GaugeOpts{
			Name:           "ksit_cluster_connection_status",
			Help:           "1 while the IntegrationTarget is ready, 0 while it is not.",
			StabilityLevel: metrics.ALPHA,
		}, []string{"namespace", "target"}),
		succeeded: metrics.NewCounterVec(&metrics.CounterOpts{
			Name:           "ksit_autoinstall_success_total",
			Help:           "Installs and upgrades that went through, by type of the Integration and method.",
			StabilityLevel: metrics.ALPHA,
		}, []string{"type", "method"}),
		failed: metrics.NewCounterVec(&metrics.CounterOpts{
			Name:           "ksit_autoinstall_failure_total",
			Help:           "Installs and upgrades that failed, by type of the Integration, method and reason.",
			StabilityLevel: metrics.ALPHA,
		}, []string{"type", "method", "reason"}),
		drifted: metrics.NewCounterVec(&metrics.CounterOpts{
			Name:           "ksit_drift_detected_total",
			Help:           "Objects that were found not to be as they were applied, by type of the Integration; again when what has drifted changes.",
			StabilityLevel: metrics.ALPHA,
		}, []string{"type"}),
		corrected: metrics.NewCounterVec(&metrics.CounterOpts{
			Name:           "ksit_drift_corrected_total",
			Help:           "Objects that were brought back to what was applied, by type of the Integration.",
			StabilityLevel: metrics.ALPHA,
		}, []string{"type"}),
	}
	for _, metric := range []metrics.Registerable{m.reconcile, m.connection, m.succeeded, m.failed, m.drifted, m.corrected} {
		if err := registry.Register(metric); err != nil {
			return nil, fmt.Errorf("registering metric %s: %w", metric.FQName(), err)
		}
	}
	return m, nil
}

// ObserveReconcile notes how long a reconcile took and whether it failed.
func (m *Metrics) ObserveReconcile(controller string, took time.Duration, err error) {
	result := "success"
	if err != nil {
		result = "error"
	}
	m.reconcile.WithLabelValues(controller, result).Observe(took.Seconds())
}

// SetConnection notes whether a target is ready.
func (m *Metrics) SetConnection(target types.NamespacedName, connected bool) {
	value := 0.0
	if connected {
		value = 1
	}
	m.connection.WithLabelValues(target.Namespace, target.Name).Set(value)
}

// DeleteConnection forgets a target that is gone.
func (m *Metrics) DeleteConnection(target types.NamespacedName) {
	m.connection.DeleteLabelValues(target.Namespace, target.Name)
}

// InstallSucceeded counts an install or upgrade that went through.
func (m *Metrics) InstallSucceeded(integrationType, method string) {
	m.succeeded.WithLabelValues(integrationType, method).Inc()
}

// InstallFailed counts an install or upgrade that failed.
func (m *Metrics) InstallFailed(integrationType, method, reason string) {
	m.failed.WithLabelValues(integrationType, method, reason).Inc()
}
