// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metrics holds the metrics of KSIT's controllers: what happens is
// counted when it happens, and how things stand is looked up when somebody
// asks. Their names and labels are an interface: dashboards and alerts are built
// on them.
package metrics

import (
	"fmt"
	"time"

	"k8s.io/component-base/metrics"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Registry is where metrics are registered: the registries of component-base
// are.
type Registry interface {
	Register(metrics.Registerable) error
	CustomRegister(metrics.StableCollector) error
}

// Metrics of the controllers. Labels have few values each: words of KSIT's own,
// and names of targets and Integrations, of which no more than a bound are shown.
type Metrics struct {
	reconcile *metrics.HistogramVec
	duration  *metrics.HistogramVec
	succeeded *metrics.CounterVec
	failed    *metrics.CounterVec
	drifted   *metrics.CounterVec
	corrected *metrics.CounterVec
	leader    *metrics.Gauge

	objects *objects
	targets *targets
}

// New makes the metrics and registers them. It fails when the registry has
// metrics of these names already.
func New(registry Registry) (*Metrics, error) {
	m := &Metrics{
		reconcile: metrics.NewHistogramVec(&metrics.HistogramOpts{
			Name: "ksit_integration_reconcile_duration_seconds",
			Help: "How long one reconcile took, in seconds, by controller (integration, chart, target, installation, operation, log) " +
				"and result (success, error). An install or an upgrade is a reconcile of the controller operation.",
			Buckets:        []float64{.001, .005, .02, .1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800},
			StabilityLevel: metrics.ALPHA,
		}, []string{"controller", "result"}),
		duration: metrics.NewHistogramVec(&metrics.HistogramOpts{
			Name: "ksit_autoinstall_duration_seconds",
			Help: "How long installs and upgrades that went through took, in seconds, until all was ready, " +
				"by type of the Integration and method.",
			Buckets:        []float64{1, 2.5, 5, 10, 20, 30, 60, 120, 180, 300, 600, 900, 1800, 3600},
			StabilityLevel: metrics.ALPHA,
		}, []string{"type", "method"}),
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
		leader: metrics.NewGauge(&metrics.GaugeOpts{
			Name:           "ksit_leader",
			Help:           "1 while the controllers of this process are at work, 0 while another process leads.",
			StabilityLevel: metrics.ALPHA,
		}),
		objects: newObjects(),
		targets: newTargets(),
	}
	for _, metric := range []metrics.Registerable{m.reconcile, m.duration, m.succeeded, m.failed, m.drifted, m.corrected, m.leader} {
		if err := registry.Register(metric); err != nil {
			return nil, fmt.Errorf("registering metric %s: %w", metric.FQName(), err)
		}
	}
	m.beginAtZero()
	if err := registry.CustomRegister(m.objects); err != nil {
		return nil, fmt.Errorf("registering the metrics of objects: %w", err)
	}
	if err := registry.CustomRegister(m.targets); err != nil {
		return nil, fmt.Errorf("registering the metrics of targets: %w", err)
	}
	return m, nil
}

// beginAtZero has counters there before they count: who asks for their increase
// does not see the first step of one that comes into being with it.
func (m *Metrics) beginAtZero() {
	for _, of := range integrationTypes {
		m.drifted.WithLabelValues(string(of))
		m.corrected.WithLabelValues(string(of))
		for _, method := range []v1alpha1.InstallMethod{v1alpha1.InstallMethodHelm, v1alpha1.InstallMethodManifest} {
			m.succeeded.WithLabelValues(string(of), string(method))
		}
	}
}

// ObserveReconcile notes how long a reconcile took and whether it failed.
func (m *Metrics) ObserveReconcile(controller string, took time.Duration, err error) {
	result := "success"
	if err != nil {
		result = "error"
	}
	m.reconcile.WithLabelValues(controller, result).Observe(took.Seconds())
}

// InstallSucceeded counts an install or upgrade that went through.
func (m *Metrics) InstallSucceeded(integrationType, method string, took time.Duration) {
	m.succeeded.WithLabelValues(integrationType, method).Inc()
	m.duration.WithLabelValues(integrationType, method).Observe(took.Seconds())
}

// InstallFailed counts an install or upgrade that failed.
func (m *Metrics) InstallFailed(integrationType, method, reason string) {
	m.failed.WithLabelValues(integrationType, method, reason).Inc()
}

// Leads notes that the controllers of this process are at work, and shows how
// what they look after stands until the function that it returns is called.
func (m *Metrics) Leads(over Objects) (stop func()) {
	m.objects.show(&over)
	m.leader.Set(1)
	return func() {
		m.leader.Set(0)
		m.objects.show(nil)
	}
}
