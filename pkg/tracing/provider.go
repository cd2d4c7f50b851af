// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	basetracing "k8s.io/component-base/tracing"
	tracingapi "k8s.io/component-base/tracing/api/v1"
	"k8s.io/klog/v2"
)

const (
	// lastSpans bounds the sending of what is left at the end of a process, also
	// where nobody takes it.
	lastSpans = 2 * time.Second
	// complainEvery is the least time between two lines of the log about spans
	// that cannot be sent.
	complainEvery = 5 * time.Minute
)

// Service is who is said to have made the spans.
type Service struct {
	Name, Version string
}

// NewProvider makes a provider that sends spans to a collector, in the background.
// It never waits for the collector: spans are gathered up to a bound, and dropped
// beyond it. That the collector does not take them is said in the log, now and
// then.
func NewProvider(ctx context.Context, config *tracingapi.TracingConfiguration, service Service, options ...otlptracegrpc.Option) (basetracing.TracerProvider, error) {
	hostname, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("naming this process in its traces: %w", err)
	}
	otel.SetErrorHandler(&complaints{now: time.Now})
	otel.SetLogger(klog.Background().WithName("traces").V(2))
	provider, err := basetracing.NewProvider(ctx, config, options, []resource.Option{resource.WithAttributes(
		semconv.ServiceName(service.Name), semconv.ServiceVersion(service.Version), semconv.ServiceInstanceID(hostname),
	)})
	if err != nil {
		return nil, fmt.Errorf("making the exporter of traces: %w", err)
	}
	return &bounded{provider}, nil
}

// bounded keeps the end of a process from waiting for a collector.
type bounded struct{ basetracing.TracerProvider }

// Shutdown sends what is left.
func (p *bounded) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lastSpans)
	defer cancel()
	return p.TracerProvider.Shutdown(ctx)
}

// complaints logs errors of the exporter, of which there may be one for each
// batch.
type complaints struct {
	now func() time.Time

	mu     sync.Mutex
	last   time.Time
	unsaid int
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if !c.last.IsZero() && now.Sub(c.last) < complainEvery {
		c.unsaid++
		return
	}
	klog.Background().Info("Traces cannot be sent, they are dropped; KSIT works on without them", "err", err.Error(), "unsaid", c.unsaid)
	c.last, c.unsaid = now, 0
}
