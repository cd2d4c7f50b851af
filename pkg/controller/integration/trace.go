// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/tracing"
)

// trace begins the span in which an Installation is written, and notes it on the
// Installation: what is done on the target for this belongs below it.
func (c *Controller) trace(ctx context.Context, integration *v1alpha1.Integration, installation *v1alpha1.Installation, cause tracing.Cause) (context.Context, trace.Span) {
	ctx, span := tracing.Begin(ctx, c.Traces, cause, integration.Annotations[v1alpha1.AnnotationTraceParent], "expand",
		tracing.Text("ksit.integration", integration.Name),
		tracing.Text("ksit.namespace", integration.Namespace),
		tracing.Text("ksit.target", installation.TargetName()),
		tracing.Text("ksit.type", string(integration.Spec.Type)))
	delete(installation.Annotations, v1alpha1.AnnotationTraceParent)
	if parent := tracing.Parent(ctx); parent != "" {
		metav1.SetMetaDataAnnotation(&installation.ObjectMeta, v1alpha1.AnnotationTraceParent, parent)
	}
	return ctx, span
}

// causeOf tells whether what changes of an Installation was asked for by whoever
// wrote the Integration. New content of ConfigMaps and Secrets was not.
func causeOf(before, after v1alpha1.InstallationSpec) tracing.Cause {
	before.SourcesDigest = after.SourcesDigest
	if equality.Semantic.DeepEqual(before, after) {
		return tracing.Related
	}
	return tracing.Caused
}
