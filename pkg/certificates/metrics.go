// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"fmt"
	"time"

	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/component-base/metrics"
)

// Values of the label name of the metric of expiry.
const (
	authorityName = "authority"
	servingName   = "serving"
)

// Metrics are what an operator watches of certificates. A nil *Metrics takes
// every call and does nothing.
type Metrics struct {
	expiry *metrics.GaugeVec
}

// NewMetrics makes the metrics; Register makes them visible.
func NewMetrics() *Metrics {
	return &Metrics{expiry: metrics.NewGaugeVec(&metrics.GaugeOpts{
		Name: "ksit_certificate_expiration_timestamp_seconds",
		Help: "When a certificate of KSIT expires, in seconds since 1970: serving is what this process serves with, " +
			"authority what signs, where this process keeps it.",
		StabilityLevel: metrics.ALPHA,
	}, []string{"name"})}
}

// Register adds the metrics to a registry.
func (m *Metrics) Register(register func(metrics.Registerable) error) error {
	if err := register(m.expiry); err != nil {
		return fmt.Errorf("registering the metric %s: %w", m.expiry.FQName(), err)
	}
	return nil
}

func (m *Metrics) expires(name string, at time.Time) {
	if m != nil {
		m.expiry.WithLabelValues(name).Set(float64(at.Unix()))
	}
}

// ObserveServing keeps the metric of what a process serves with, from wherever
// it comes.
func (m *Metrics) ObserveServing(provider dynamiccertificates.CertKeyContentProvider) {
	if m == nil || provider == nil {
		return
	}
	o := &servingObserver{metrics: m, provider: provider}
	provider.AddListener(o)
	o.Enqueue()
}

type servingObserver struct {
	metrics  *Metrics
	provider dynamiccertificates.CertKeyContentProvider
}

// Enqueue implements dynamiccertificates.Listener.
func (o *servingObserver) Enqueue() {
	if p, err := parsePair(o.provider.CurrentCertKeyContent()); err == nil {
		o.metrics.expires(servingName, p.cert.NotAfter)
	}
}
