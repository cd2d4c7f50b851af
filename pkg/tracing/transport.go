// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// Transport traces the requests to a Kubernetes API that are made within a span,
// and tells the server of it. Others pass: a watch that begins with the process,
// or a probe at rest, has no span. peer begins the name of the span, of which
// there are no more than methods; the path is an attribute, without the query.
func Transport(peer string, next http.RoundTripper) http.RoundTripper {
	return &transport{peer: peer, next: next}
}

type transport struct {
	peer string
	next http.RoundTripper
}

var _ utilnet.RoundTripperWrapper = (*transport)(nil)

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	if quiet, _ := ctx.Value(quietKey{}).(bool); quiet || !trace.SpanFromContext(ctx).IsRecording() {
		return t.next.RoundTrip(request)
	}
	ctx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer(scope).Start(ctx, t.peer+" "+method(request.Method),
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.String("http.request.method", method(request.Method)),
			Text("server.address", request.URL.Host),
			Text("url.path", request.URL.Path)))
	defer span.End()
	request = request.Clone(ctx)
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(request.Header))
	response, err := t.next.RoundTrip(request)
	if err != nil {
		span.SetStatus(codes.Error, classOf(err))
		return nil, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", response.StatusCode))
	if response.StatusCode >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, http.StatusText(response.StatusCode))
	}
	return response, nil
}

// WrappedRoundTripper leads libraries to the transport itself.
func (t *transport) WrappedRoundTripper() http.RoundTripper { return t.next }

func method(name string) string {
	switch name {
	case "":
		return http.MethodGet
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return name
	default:
		return "OTHER"
	}
}

type quietKey struct{}

// Quiet has the requests of ctx no spans of their own: a wait asks the same again
// and again, and one span is enough to tell how long it was.
func Quiet(ctx context.Context) context.Context {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	return context.WithValue(ctx, quietKey{}, true)
}

// Within returns ctx with the span of another context, for requests that a library
// makes without one.
func Within(ctx, of context.Context) context.Context {
	span := trace.SpanFromContext(of)
	if !span.IsRecording() || trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	return trace.ContextWithSpan(ctx, span)
}
