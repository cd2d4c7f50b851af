// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	tracingapi "k8s.io/component-base/tracing/api/v1"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
)

func recorder(sampler sdktrace.Sampler) (*tracetest.SpanRecorder, trace.TracerProvider) {
	spans := tracetest.NewSpanRecorder()
	return spans, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithSampler(sampler))
}

func TestStartNeedsASpan(t *testing.T) {
	ctx, span := Start(t.Context(), "alone")
	if span.IsRecording() || trace.SpanContextFromContext(ctx).IsValid() {
		t.Error("a span began without one above it")
	}
	spans, provider := recorder(sdktrace.ParentBased(sdktrace.NeverSample()))
	ctx, root := Begin(t.Context(), provider, Caused, "", "root")
	_, below := Start(ctx, "below")
	below.End()
	root.End()
	if len(spans.Ended()) != 0 || Parent(ctx) != "" {
		t.Errorf("what is not sampled was recorded: %d spans, parent %q", len(spans.Ended()), Parent(ctx))
	}
}

func TestBegin(t *testing.T) {
	spans, provider := recorder(sdktrace.AlwaysSample())
	ctx, origin := Begin(t.Context(), provider, Caused, "", "origin")
	parent := Parent(ctx)
	origin.End()
	for name, tc := range map[string]struct {
		parent       string
		cause        Cause
		same, linked bool
	}{
		"caused":            {parent, Caused, true, false},
		"related":           {parent, Related, false, true},
		"nothing noted":     {"", Caused, false, false},
		"nonsense":          {"00-zz-zz-01", Caused, false, false},
		"too long":          {strings.Repeat("0", 1<<16), Related, false, false},
		"nothing but zeros": {"00-00000000000000000000000000000000-0000000000000000-01", Caused, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, span := Begin(t.Context(), provider, tc.cause, tc.parent, name)
			span.End()
			ended := spans.Ended()
			got := ended[len(ended)-1]
			if same := got.SpanContext().TraceID() == origin.SpanContext().TraceID(); same != tc.same {
				t.Errorf("in the same trace: %t", same)
			}
			if same := got.Parent().SpanID() == origin.SpanContext().SpanID(); same != tc.same {
				t.Errorf("below it: %t", same)
			}
			if linked := len(got.Links()) == 1; linked != tc.linked {
				t.Errorf("linked: %t", linked)
			}
		})
	}
}

func TestEndTellsNoText(t *testing.T) {
	spans, provider := recorder(sdktrace.AlwaysSample())
	for _, err := range []error{errors.New("password=hunter2"), fmt.Errorf("hunter2: %w", context.DeadlineExceeded), fmt.Errorf("hunter2: %w", context.Canceled)} {
		_, span := Begin(t.Context(), provider, Caused, "", "x")
		End(span, err)
	}
	var got []string
	for _, span := range spans.Ended() {
		got = append(got, span.Status().Description)
		if len(span.Events()) > 0 {
			t.Error("an error is an event, with its text")
		}
	}
	if strings.Join(got, ", ") != "failed, not done in time, canceled" {
		t.Errorf("said %q", got)
	}
	if a := Text("k", strings.Repeat("é", 400)); len(a.Value.AsString()) > maxAttribute || !strings.HasSuffix(a.Value.AsString(), "é") {
		t.Errorf("an attribute is %d bytes long", len(a.Value.AsString()))
	}
}

func TestTransport(t *testing.T) {
	var told []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told = append(told, r.Header.Get("traceparent"))
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	defer server.Close()
	spans, provider := recorder(sdktrace.AlwaysSample())
	client := http.Client{Transport: Transport("target", http.DefaultTransport)}
	send := func(ctx context.Context, method, path string) {
		request, err := http.NewRequestWithContext(ctx, method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if request.Header.Get("traceparent") != "" {
			t.Error("the caller's request was changed")
		}
	}
	ctx, root := Begin(t.Context(), provider, Caused, "", "root")
	send(t.Context(), "GET", "/at-rest")
	send(Quiet(ctx), "GET", "/while-waiting")
	send(ctx, "GET", "/api/v1/secrets/x?token=hunter2")
	send(Within(t.Context(), ctx), "BREW", "/broken")
	root.End()

	var got []string
	for _, span := range spans.Ended() {
		got = append(got, span.Name())
		if strings.Contains(fmt.Sprint(span.Attributes()), "hunter2") {
			t.Errorf("the query is shown: %v", span.Attributes())
		}
	}
	if want := "target GET, target OTHER, root"; strings.Join(got, ", ") != want {
		t.Errorf("spans %q, want %s", got, want)
	}
	if told[0] != "" || told[1] != "" || !strings.Contains(told[2], root.SpanContext().TraceID().String()) || told[3] == "" {
		t.Errorf("the server was told %q", told)
	}
}

// TestNobodyWaitsForACollector has one that does not answer: spans are begun and
// ended all the same, and so is the process.
func TestNobodyWaitsForACollector(t *testing.T) {
	endpoint, rate := "127.0.0.1:1", int32(1_000_000)
	provider, err := NewProvider(t.Context(), &tracingapi.TracingConfiguration{Endpoint: &endpoint, SamplingRatePerMillion: &rate}, Service{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	// More than the queue holds.
	for range 10_000 {
		_, span := Begin(t.Context(), provider, Caused, "", "x")
		span.End()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = provider.Shutdown(context.WithoutCancel(t.Context()))
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("the end waits for the collector")
	}
}

func TestComplaintsAreRare(t *testing.T) {
	var out bytes.Buffer
	klog.SetLogger(textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&out))))
	defer klog.ClearLogger()
	now := time.Unix(0, 0)
	c := &complaints{now: func() time.Time { return now }}
	for range 1000 {
		c.Handle(errors.New("connection refused"))
		now = now.Add(time.Second)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 4 || !strings.Contains(lines[1], "unsaid=299") {
		t.Errorf("%d lines for a quarter of an hour:\n%s", len(lines), out.String())
	}
}
