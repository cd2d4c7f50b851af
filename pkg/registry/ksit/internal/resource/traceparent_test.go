// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/tracing"
)

func TestNoteTrace(t *testing.T) {
	const key = "ksit.io/traceparent"
	sampled, span := tracing.Begin(t.Context(), sdktrace.NewTracerProvider(), tracing.Caused, "", "POST")
	defer span.End()
	present := tracing.Parent(sampled)
	if present == "" {
		t.Fatal("the request is not sampled")
	}
	noted := func(parent string) *ksit.Integration {
		i := &ksit.Integration{}
		if parent != "" {
			metav1.SetMetaDataAnnotation(&i.ObjectMeta, key, parent)
		}
		return i
	}
	for name, tc := range map[string]struct {
		ctx         context.Context
		old, object *ksit.Integration
		asks        bool
		want        string
	}{
		"made":                      {ctx: sampled, object: noted(""), asks: true, want: present},
		"made, forged":              {ctx: sampled, object: noted("forged"), asks: true, want: present},
		"made, not sampled, forged": {ctx: t.Context(), object: noted("forged"), asks: true},
		"changed":                   {ctx: sampled, old: noted("former"), object: noted("former"), asks: true, want: present},
		"changed, not sampled":      {ctx: t.Context(), old: noted("former"), object: noted("former"), asks: true},
		"nothing asked":             {ctx: sampled, old: noted("former"), object: noted("former"), want: "former"},
		"nothing asked, forged":     {ctx: sampled, old: noted("former"), object: noted("forged"), want: "former"},
		"nothing asked, left out":   {ctx: sampled, old: noted("former"), object: noted(""), want: "former"},
		"nothing asked, invented":   {ctx: sampled, old: noted(""), object: noted("forged")},
	} {
		t.Run(name, func(t *testing.T) {
			var old metav1.Object
			if tc.old != nil {
				old = tc.old
			}
			NoteTrace(tc.ctx, tc.object, old, tc.asks)
			got, there := tc.object.Annotations[key]
			if got != tc.want || there != (tc.want != "") {
				t.Errorf("noted %q, want %q", got, tc.want)
			}
		})
	}
}
