// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tracing begins the spans of KSIT, carries them from the request that
// asks for something to the work that it causes, and hands them to a collector.
//
// What has a span in its context is traced, and nothing else is: packages that
// do the work need no provider, and cost nothing where there is none. No
// attribute holds what comes from a Secret, from values or from the text of an
// error.
package tracing

import (
	"context"
	"errors"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// scope names this instrumentation.
const scope = "ksit.io/ksit"

// maxAttribute bounds an attribute, in bytes.
const maxAttribute = 256

// Start begins a span below the one of ctx. Without one that is recorded it begins
// nothing. The caller ends it.
func Start(ctx context.Context, name string, attributes ...attribute.KeyValue) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, noop.Span{}
	}
	return parent.TracerProvider().Tracer(scope).Start(ctx, name, trace.WithAttributes(attributes...))
}

// Cause says what a span has to do with the trace that is written on an object.
type Cause int

const (
	// Caused: the request of that trace asked for what begins.
	Caused Cause = iota
	// Related: it is about the same, but something else brought it about.
	Related
)

// Begin begins a span that is the first of its process: below the one that parent
// names, if that is its cause; otherwise at the root of a trace of its own, with a
// link to it. parent is as Parent returns it, and may be empty or invalid.
func Begin(ctx context.Context, provider trace.TracerProvider, cause Cause, parent, name string, attributes ...attribute.KeyValue) (context.Context, trace.Span) {
	if provider == nil {
		return ctx, noop.Span{}
	}
	options := []trace.SpanStartOption{trace.WithAttributes(attributes...)}
	origin := parse(parent)
	switch {
	case origin.IsValid() && cause == Caused:
		ctx = trace.ContextWithRemoteSpanContext(ctx, origin)
	case origin.IsValid():
		options = append(options, trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: origin}))
	default:
		options = append(options, trace.WithNewRoot())
	}
	return provider.Tracer(scope).Start(ctx, name, options...)
}

// End ends a span. Of an error it says that there was one, and of which sort,
// never its text.
func End(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetStatus(codes.Error, classOf(err))
	}
	span.End()
}

func classOf(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "not done in time"
	case errors.Is(err, context.Canceled):
		return "canceled"
	default:
		return "failed"
	}
}

// Text is an attribute that is cut to a bounded length.
func Text(key, value string) attribute.KeyValue {
	if len(value) > maxAttribute {
		cut := maxAttribute
		for cut > 0 && !utf8.RuneStart(value[cut]) {
			cut--
		}
		value = value[:cut]
	}
	return attribute.String(key, value)
}
