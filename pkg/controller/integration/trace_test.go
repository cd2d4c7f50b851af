// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/tracing"
)

// TestTraceIsHandedOn has the trace of a request go on in the Installation, unless
// the change has another cause or nothing is sampled.
func TestTraceIsHandedOn(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	ctx, request := tracing.Begin(t.Context(), provider, tracing.Caused, "", "POST")
	integration := &v1alpha1.Integration{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "app"}}
	metav1.SetMetaDataAnnotation(&integration.ObjectMeta, v1alpha1.AnnotationTraceParent, tracing.Parent(ctx))
	request.End()

	before := v1alpha1.InstallationSpec{SourcesDigest: "one"}
	changed := before
	changed.SourcesDigest = "two"
	asked := changed
	asked.ReconcileRequest = "now"
	for name, tc := range map[string]struct {
		after  v1alpha1.InstallationSpec
		same   bool
		linked int
	}{"new sources": {changed, false, 1}, "a new spec": {asked, true, 0}} {
		t.Run(name, func(t *testing.T) {
			c := &Controller{Traces: provider}
			installation := &v1alpha1.Installation{Spec: tc.after}
			_, span := c.trace(t.Context(), integration, installation, causeOf(before, tc.after))
			span.End()
			ended := spans.Ended()
			got := ended[len(ended)-1]
			if same := got.Parent().SpanID() == request.SpanContext().SpanID(); got.Name() != "expand" || same != tc.same || len(got.Links()) != tc.linked {
				t.Errorf("%s is below the request: %t, with %d links", got.Name(), same, len(got.Links()))
			}
			if want := "00-" + got.SpanContext().TraceID().String() + "-" + got.SpanContext().SpanID().String() + "-01"; installation.Annotations[v1alpha1.AnnotationTraceParent] != want {
				t.Errorf("noted %q, want %q", installation.Annotations[v1alpha1.AnnotationTraceParent], want)
			}
		})
	}
	t.Run("not traced", func(t *testing.T) {
		installation := &v1alpha1.Installation{}
		metav1.SetMetaDataAnnotation(&installation.ObjectMeta, v1alpha1.AnnotationTraceParent, "former")
		_, span := (&Controller{}).trace(t.Context(), integration, installation, tracing.Caused)
		span.End()
		if len(installation.Annotations) != 0 {
			t.Errorf("noted %v", installation.Annotations)
		}
	})
}
