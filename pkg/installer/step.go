// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"context"

	"go.opentelemetry.io/otel/attribute"

	"ksit.io/ksit/pkg/tracing"
)

// Step begins a step of an operation in its trace, if it has one. The function
// that is returned ends it, with the reason of what went wrong.
func Step(ctx context.Context, name string, attributes ...attribute.KeyValue) (context.Context, func(error)) {
	ctx, span := tracing.Start(ctx, name, attributes...)
	return ctx, func(err error) {
		if err != nil && span.IsRecording() {
			span.SetAttributes(attribute.String("ksit.reason", string(ReasonOf(err))))
		}
		tracing.End(span, err)
	}
}
