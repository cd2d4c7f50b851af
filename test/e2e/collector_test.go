// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// notSent stands for a span that is named as the parent of another and was not sent.
const notSent = "(not sent)"

// collector takes the spans that KSIT exports.
type collector struct {
	collectorv1.UnimplementedTraceServiceServer
	address string

	mu    sync.Mutex
	spans []*tracev1.Span
	// services are the names that the spans come under.
	services map[string]bool
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c := &collector{address: listener.Addr().String(), services: map[string]bool{}}
	server := grpc.NewServer()
	collectorv1.RegisterTraceServiceServer(server, c)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return c
}

// Export implements the service.
func (c *collector) Export(_ context.Context, request *collectorv1.ExportTraceServiceRequest) (*collectorv1.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.ResourceSpans {
		for _, attribute := range resource.Resource.GetAttributes() {
			if attribute.Key == "service.name" {
				c.services[attribute.Value.GetStringValue()] = true
			}
		}
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	return &collectorv1.ExportTraceServiceResponse{}, nil
}

func (c *collector) all() []*tracev1.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// find returns the spans of a name with an attribute of that value, whichever it
// is; of any where it is empty.
func (c *collector) find(name, value string) []*tracev1.Span {
	var found []*tracev1.Span
	for _, span := range c.all() {
		if span.Name == name && (value == "" || slices.ContainsFunc(attributesOf(span), func(a string) bool { return strings.Contains(a, value) })) {
			found = append(found, span)
		}
	}
	return found
}

// lineage names a span and those above it, as far as they were sent. The second
// result is the span at the top.
func (c *collector) lineage(span *tracev1.Span) ([]string, *tracev1.Span) {
	spans := c.all()
	names := []string{span.Name}
	for len(span.ParentSpanId) > 0 {
		n := slices.IndexFunc(spans, func(s *tracev1.Span) bool {
			return bytes.Equal(s.SpanId, span.ParentSpanId) && bytes.Equal(s.TraceId, span.TraceId)
		})
		if n < 0 {
			return append(names, notSent), span
		}
		span = spans[n]
		names = append(names, span.Name)
	}
	return names, span
}

// below tells whether a span is in the trace of another and somewhere below it.
func (c *collector) below(span, top *tracev1.Span) bool {
	for _, at := 0, span; len(at.ParentSpanId) > 0 && bytes.Equal(at.TraceId, top.TraceId); {
		if bytes.Equal(at.ParentSpanId, top.SpanId) {
			return true
		}
		n := slices.IndexFunc(c.all(), func(s *tracev1.Span) bool { return bytes.Equal(s.SpanId, at.ParentSpanId) })
		if n < 0 {
			return false
		}
		at = c.all()[n]
	}
	return false
}

// tree draws what is below a span, with how long each took. Of spans alike, one
// after the other, it draws the first.
func (c *collector) tree(top *tracev1.Span) string {
	spans := c.all()
	slices.SortFunc(spans, func(a, b *tracev1.Span) int { return cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano) })
	var out strings.Builder
	var draw func(span *tracev1.Span, indent string)
	draw = func(span *tracev1.Span, indent string) {
		took := time.Duration(span.EndTimeUnixNano - span.StartTimeUnixNano).Round(100 * time.Microsecond)
		fmt.Fprintf(&out, "%s%s  %s\n", indent, span.Name, took)
		last, more := "", 0
		tell := func() {
			if more > 0 {
				fmt.Fprintf(&out, "%s  (and %d more)\n", indent, more)
			}
			more = 0
		}
		for _, below := range spans {
			if !bytes.Equal(below.ParentSpanId, span.SpanId) || !bytes.Equal(below.TraceId, span.TraceId) {
				continue
			}
			if below.Name == last {
				more++
				continue
			}
			tell()
			last = below.Name
			draw(below, indent+"  ")
		}
		tell()
	}
	draw(top, "")
	return out.String()
}

func attributesOf(span *tracev1.Span) []string {
	var all []string
	for _, a := range span.Attributes {
		all = append(all, a.Key+"="+a.Value.String())
	}
	return all
}

func traceOf(span *tracev1.Span) string { return hex.EncodeToString(span.TraceId) }
