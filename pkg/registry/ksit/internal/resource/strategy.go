// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package resource holds what the registries of all kinds of ksit.io have in
// common.
package resource

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Strategy answers what is the same for every kind: all are namespaced, are
// created by POST or by apply only, and may be replaced by a client that does
// not say which version it replaces.
type Strategy struct {
	runtime.ObjectTyper
	names.NameGenerator
}

var _ rest.GarbageCollectionDeleteStrategy = Strategy{}

// NewStrategy returns the common part of a strategy for the kinds of a scheme.
func NewStrategy(typer runtime.ObjectTyper) Strategy {
	return Strategy{ObjectTyper: typer, NameGenerator: names.SimpleNameGenerator}
}

// NamespaceScoped is true for every kind.
func (Strategy) NamespaceScoped() bool { return true }

// AllowCreateOnUpdate is false: a PUT on a name that is not there is an error.
func (Strategy) AllowCreateOnUpdate(context.Context) bool { return false }

// AllowUnconditionalUpdate is true: a PUT without a resource version replaces
// whatever is there.
func (Strategy) AllowUnconditionalUpdate(context.Context) bool { return true }

// Canonicalize leaves the object as it is: lists keep the order that their
// author gave them, and what is normalised is so before generations are
// compared.
func (Strategy) Canonicalize(runtime.Object) {}

// DefaultGarbageCollectionPolicy deletes dependents in the background.
func (Strategy) DefaultGarbageCollectionPolicy(context.Context) rest.GarbageCollectionPolicy {
	return rest.DeleteDependents
}

// StatusStrategy answers what is the same for the status of every kind.
type StatusStrategy struct {
	Strategy
}

// AllowUnconditionalUpdate is false: who writes a status must say on which
// version of the object it is founded.
func (StatusStrategy) AllowUnconditionalUpdate(context.Context) bool { return false }

// WarningsOnUpdate has none: the writer of a status is a controller.
func (StatusStrategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}

// GetResetFields names what a write of the status does not change, in every
// served version.
func (StatusStrategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return ResetFields(
		Path{"spec"},
		Path{"metadata", "labels"},
		Path{"metadata", "annotations"},
		Path{"metadata", "finalizers"},
		Path{"metadata", "ownerReferences"},
	)
}

// Path is the names that lead to a field.
type Path []string

// ResetFields makes the set of fields that a strategy resets, for every served
// version.
func ResetFields(paths ...Path) map[fieldpath.APIVersion]*fieldpath.Set {
	set := fieldpath.NewSet()
	for _, path := range paths {
		elements := make(fieldpath.Path, len(path))
		for i := range path {
			elements[i] = fieldpath.PathElement{FieldName: &path[i]}
		}
		set.Insert(elements)
	}
	return map[fieldpath.APIVersion]*fieldpath.Set{
		fieldpath.APIVersion(v1alpha1.SchemeGroupVersion.String()): set,
	}
}

// maxWarning is the length that a warning should not exceed.
const maxWarning = 120

// Warning makes a warning about a field, cut to the length that clients show.
func Warning(format string, args ...any) string {
	text := []rune(fmt.Sprintf(format, args...))
	if len(text) > maxWarning {
		return string(text[:maxWarning-3]) + "..."
	}
	return string(text)
}
