// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/tracing"
)

// TraceParentPath is the field that NoteTrace decides.
func TraceParentPath() Path {
	return Path{"metadata", "annotations", v1alpha1.AnnotationTraceParent}
}

// NoteTrace notes on an object which trace asked for what it asks for, so that
// the work that comes of it can be part of that trace. Where the request asks for
// nothing new, what is noted stays, whatever the request says; where it is not
// sampled, nothing is. old is nil for an object that is created.
func NoteTrace(ctx context.Context, object, old metav1.Object, asks bool) {
	parent := ""
	switch {
	case asks:
		parent = tracing.Parent(ctx)
	case old != nil:
		parent = old.GetAnnotations()[v1alpha1.AnnotationTraceParent]
	}
	present, noted := object.GetAnnotations()[v1alpha1.AnnotationTraceParent]
	if present == parent && noted == (parent != "") {
		return
	}
	annotations := maps.Clone(object.GetAnnotations())
	delete(annotations, v1alpha1.AnnotationTraceParent)
	if parent != "" {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[v1alpha1.AnnotationTraceParent] = parent
	}
	object.SetAnnotations(annotations)
}
