// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/tracing"
)

// trace begins the span of what is carried out. It belongs to the trace of the
// request that asked for it; what is done again, for drift, or because it goes,
// has a trace of its own that refers to that one.
func (c *Controller) trace(ctx context.Context, o observed) (context.Context, trace.Span) {
	i := o.installation
	cause := tracing.Related
	if i.DeletionTimestamp == nil && (reconcileAsked(i) || asked(i) != nil || i.Status.ObservedGeneration != i.Generation) {
		cause = tracing.Caused
	}
	return tracing.Begin(ctx, c.Traces, cause, i.Annotations[v1alpha1.AnnotationTraceParent], "operation",
		tracing.Text("ksit.integration", i.Spec.Integration),
		tracing.Text("ksit.namespace", i.Namespace),
		tracing.Text("ksit.target", i.TargetName()),
		tracing.Text("ksit.type", string(i.Spec.Type)))
}

// traceBegin says on the span of ctx which operation it is.
func (r *operationRecord) traceBegin(ctx context.Context) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetName("operation " + string(r.Type))
	span.SetAttributes(
		attribute.String("ksit.operation", string(r.Type)),
		attribute.Int("ksit.attempt", int(r.attempt)),
		tracing.Text("ksit.requested_by", r.RequestedBy))
}

// traceEnd says on the span of ctx how the operation ended.
func (r *operationRecord) traceEnd(ctx context.Context, outcome, reason string) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(attribute.String("ksit.outcome", outcome), attribute.String("ksit.reason", reason))
	if outcome == string(v1alpha1.OperationFailed) {
		span.SetStatus(codes.Error, reason)
	}
}
