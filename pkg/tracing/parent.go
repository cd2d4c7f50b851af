// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// parentHeader is where W3C Trace Context has the name of a span.
const parentHeader = "traceparent"

// Parent names the span of ctx in the form of the header traceparent; empty where
// this process does not record it: what a client says of itself is not passed on.
func Parent(ctx context.Context) string {
	if span := trace.SpanFromContext(ctx); !span.IsRecording() || !span.SpanContext().IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[parentHeader]
}

// parse reads what Parent returned. What it cannot read is an invalid span.
func parse(parent string) trace.SpanContext {
	if parent == "" {
		return trace.SpanContext{}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{parentHeader: parent})
	return trace.SpanContextFromContext(ctx)
}
