// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/tracing"
)

// TestOperationsBelongToTheRequest has what a request asks for in its trace, and
// what comes of it later beside it, with a link; and has nothing traced at rest.
func TestOperationsBelongToTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
		s := simulate(t)
		s.controller.Traces = provider
		request := func() string {
			ctx, span := tracing.Begin(t.Context(), provider, tracing.Caused, "", "POST")
			defer span.End()
			return tracing.Parent(ctx)
		}
		note := func(i *v1alpha1.Installation) {
			metav1.SetMetaDataAnnotation(&i.ObjectMeta, v1alpha1.AnnotationTraceParent, request())
		}
		s.change(note)
		s.run(time.Minute)
		s.installer.applyErr = installer.Errorf(installer.ReasonNotReady, "token=hunter2")
		retries := int32(1)
		s.change(func(i *v1alpha1.Installation) {
			note(i)
			i.Spec.AutoInstall.HelmConfig.Version = "2.0.0"
			i.Spec.AutoInstall.Remediation = &v1alpha1.Remediation{Retries: &retries}
		})
		s.run(weekend)
		s.change(func(i *v1alpha1.Installation) {
			note(i)
			i.Spec.ReconcileRequest = "again"
		})
		s.run(time.Second)

		type seen struct {
			name          string
			caused        bool
			links         int
			reason, state string
		}
		var got []seen
		origin := map[string]bool{}
		for _, span := range spans.Ended() {
			if span.Name() == "POST" {
				origin[span.SpanContext().SpanID().String()] = true
				continue
			}
			of := seen{name: span.Name(), caused: origin[span.Parent().SpanID().String()], links: len(span.Links()), state: span.Status().Description}
			for _, a := range span.Attributes() {
				if a.Key == "ksit.reason" {
					of.reason = a.Value.AsString()
				}
			}
			got = append(got, of)
		}
		want := []seen{
			{"operation Install", true, 0, "Succeeded", ""},
			{"operation Upgrade", true, 0, "NotReady", "NotReady"},
			{"operation Upgrade", false, 1, "NotReady", "NotReady"},
			{"operation Rollback", false, 1, "Succeeded", ""},
			{"operation Upgrade", true, 0, "NotReady", "NotReady"},
		}
		if len(got) != len(want) {
			t.Fatalf("traced %+v", got)
		}
		for n := range want {
			if got[n] != want[n] {
				t.Errorf("span %d is %+v, want %+v", n, got[n], want[n])
			}
		}
	})
}
