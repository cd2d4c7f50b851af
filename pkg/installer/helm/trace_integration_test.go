// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"ksit.io/ksit/pkg/tracing"
)

// TestSteps has an install with hooks, and one that fails over a value, on a real
// target: each step has a span below the operation's, as have the requests that Helm
// makes without a context, and no value is in any.
func TestSteps(t *testing.T) {
	b := newBench(t)
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	b.charts.add(t, "traced", "1.0.0", files{
		"templates/pre.yaml": hookJob("pre", "pre-install", ""),
		"templates/d.yaml":   deployment,
	})
	req := b.request("traced", "traced", "1.0.0")
	ctx, root := tracing.Begin(t.Context(), provider, tracing.Caused, "", "operation")
	if _, err := b.installer.Apply(ctx, b.conn, req); err != nil {
		t.Fatal(err)
	}
	root.End()
	names := map[string]int{}
	for _, span := range spans.Ended() {
		names[span.Name()]++
		if span.SpanContext().TraceID() != root.SpanContext().TraceID() {
			t.Errorf("%s is in another trace", span.Name())
		}
	}
	for _, name := range []string{"helm observe", "helm load chart", "fetch", "helm install", "helm render", "helm hook", "helm create", "helm wait", "target GET", "target POST", "target PUT"} {
		if names[name] == 0 {
			t.Errorf("no span %q among %v", name, names)
		}
	}
	// A wait that asks again and again must not be seen request by request.
	if n := names["target GET"]; n > 60 {
		t.Errorf("%d spans of reads", n)
	}

	failing := withValues(b.request("traced-badly", "traced", "1.0.0"), map[string]any{"replicas": "hunter2-is-no-number"})
	b.charts.add(t, "spoiled", "1.0.0", files{"templates/d.yaml": strings.Replace(deployment, "spec:\n", "spec:\n  minReadySeconds: {{ .Values.replicas }}\n", 1)})
	failing.AutoInstall.HelmConfig.Chart, failing.AutoInstall.HelmConfig.ReleaseName = "spoiled", "spoiled"
	ctx, root = tracing.Begin(t.Context(), provider, tracing.Caused, "", "operation")
	if _, err := b.installer.Apply(ctx, b.conn, failing); err == nil {
		t.Fatal("it was installed")
	}
	root.End()
	failed := slices.ContainsFunc(spans.Ended(), func(span sdktrace.ReadOnlySpan) bool {
		return span.Name() == "helm install" && span.Status().Code == codes.Error && strings.Contains(fmt.Sprint(span.Attributes()), "ksit.reason")
	})
	if !failed {
		t.Error("no step says that it failed, and why")
	}
	for _, span := range spans.Ended() {
		if said := fmt.Sprint(span.Name(), span.Attributes(), span.Events(), span.Status()); strings.Contains(said, "hunter2") {
			t.Errorf("a value is shown: %s", said)
		}
	}
}
