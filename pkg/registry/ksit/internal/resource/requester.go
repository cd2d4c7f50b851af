// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"maps"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// maxUser bounds the name of a user in a record, in bytes: an authenticator may
// take names from elsewhere.
const maxUser = 512

// User is the name of who makes a request, as a record has it.
func User(ctx context.Context) string {
	user, known := genericapirequest.UserFrom(ctx)
	if !known {
		return ""
	}
	name := user.GetName()
	return strings.ToValidUTF8(name[:min(len(name), maxUser)], "")
}

// RequesterPath is the field that NoteRequester decides.
func RequesterPath() Path {
	return Path{"metadata", "annotations", v1alpha1.AnnotationReconcileRequestedBy}
}

// NoteRequester has the annotation reconcile of an object speak the truth about
// who set it: whenever it changes, the user of the request is noted beside it. At
// any other time what is noted stays, whatever the request says. old is nil for
// an object that is created.
func NoteRequester(ctx context.Context, object, old metav1.Object) {
	var before map[string]string
	if old != nil {
		before = old.GetAnnotations()
	}
	value, asked := object.GetAnnotations()[v1alpha1.AnnotationReconcile]
	former, askedBefore := before[v1alpha1.AnnotationReconcile]
	by := before[v1alpha1.AnnotationReconcileRequestedBy]
	if asked && (!askedBefore || value != former) {
		by = User(ctx)
	}
	annotations := maps.Clone(object.GetAnnotations())
	if !asked || by == "" {
		delete(annotations, v1alpha1.AnnotationReconcileRequestedBy)
	} else {
		annotations[v1alpha1.AnnotationReconcileRequestedBy] = by
	}
	object.SetAnnotations(annotations)
}
