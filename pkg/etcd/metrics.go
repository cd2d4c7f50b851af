// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"fmt"
	"time"

	"k8s.io/component-base/metrics"
)

// Metrics are what an operator watches of an embedded etcd. A nil *Metrics
// takes every call and does nothing.
type Metrics struct {
	size, inUse, quota *metrics.Gauge
	alarm              *metrics.GaugeVec
	defragDuration     *metrics.Histogram
}

// NewMetrics makes the metrics; Register makes them visible.
func NewMetrics() *Metrics {
	gauge := func(name, help string) *metrics.Gauge {
		return metrics.NewGauge(&metrics.GaugeOpts{
			Namespace: "ksit", Subsystem: "etcd", Name: name, Help: help, StabilityLevel: metrics.ALPHA,
		})
	}
	return &Metrics{
		size:  gauge("database_size_bytes", "Size of the file of the embedded etcd."),
		inUse: gauge("database_in_use_bytes", "How much of the file of the embedded etcd holds data."),
		quota: gauge("quota_bytes", "Size at which the embedded etcd refuses writes."),
		alarm: metrics.NewGaugeVec(&metrics.GaugeOpts{
			Namespace: "ksit", Subsystem: "etcd", Name: "alarm", StabilityLevel: metrics.ALPHA,
			Help: "1 while the embedded etcd has the alarm: nospace when the quota is spent, corrupt when data is damaged. Writes are refused.",
		}, []string{"alarm"}),
		defragDuration: metrics.NewHistogram(&metrics.HistogramOpts{
			Namespace: "ksit", Subsystem: "etcd", Name: "defragmentation_duration_seconds", StabilityLevel: metrics.ALPHA,
			Help:    "Time that requests waited while the embedded etcd was defragmented.",
			Buckets: metrics.ExponentialBuckets(0.01, 3, 8),
		}),
	}
}

// Register adds the metrics to a registry.
func (m *Metrics) Register(register func(metrics.Registerable) error) error {
	for _, metric := range []metrics.Registerable{m.size, m.inUse, m.quota, m.alarm, m.defragDuration} {
		if err := register(metric); err != nil {
			return fmt.Errorf("registering the metric %s: %w", metric.FQName(), err)
		}
	}
	return nil
}

func (m *Metrics) observe(status Status) {
	if m == nil {
		return
	}
	m.size.Set(float64(status.SizeBytes))
	m.inUse.Set(float64(status.InUseBytes))
	m.quota.Set(float64(status.QuotaBytes))
	m.alarm.WithLabelValues("nospace").Set(asNumber(status.NoSpace))
	m.alarm.WithLabelValues("corrupt").Set(asNumber(status.Corrupt))
}

func (m *Metrics) defragmented(took time.Duration) {
	if m != nil {
		m.defragDuration.Observe(took.Seconds())
	}
}

func asNumber(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
