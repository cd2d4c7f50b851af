// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installationlog

import (
	"context"
	"fmt"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// strategy governs logs. Whatever is written is cleaned and trimmed to the bounds
// of a log, so that none can be stored that breaks them.
type strategy struct {
	resource.Strategy
}

var (
	_ rest.RESTCreateStrategy = strategy{}
	_ rest.RESTUpdateStrategy = strategy{}
	_ rest.RESTDeleteStrategy = strategy{}
)

// PrepareForCreate trims the log.
func (strategy) PrepareForCreate(_ context.Context, obj runtime.Object) {
	trim(obj.(*ksit.InstallationLog))
}

// PrepareForUpdate trims the log.
func (strategy) PrepareForUpdate(_ context.Context, obj, _ runtime.Object) {
	trim(obj.(*ksit.InstallationLog))
}

// Validate checks a new log.
func (strategy) Validate(_ context.Context, obj runtime.Object) field.ErrorList {
	log := obj.(*ksit.InstallationLog)
	errs := apivalidation.ValidateObjectMeta(&log.ObjectMeta, true, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	return append(errs, validate(log)...)
}

// ValidateUpdate checks a changed log.
func (strategy) ValidateUpdate(_ context.Context, obj, _ runtime.Object) field.ErrorList {
	return validate(obj.(*ksit.InstallationLog))
}

// WarningsOnCreate has none: the writer is the controller.
func (strategy) WarningsOnCreate(context.Context, runtime.Object) []string { return nil }

// WarningsOnUpdate has none: the writer is the controller.
func (strategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}

func validate(log *ksit.InstallationLog) field.ErrorList {
	var errs field.ErrorList
	if len(log.Lines) > v1alpha1.MaxLogLines {
		errs = append(errs, field.TooMany(field.NewPath("lines"), len(log.Lines), v1alpha1.MaxLogLines))
	}
	if log.Written < int64(len(log.Lines)) {
		errs = append(errs, field.Invalid(field.NewPath("written"), log.Written, "must not be less than there are lines"))
	}
	return errs
}

func getAttrs(obj runtime.Object) (labels.Set, fields.Set, error) {
	log, ok := obj.(*ksit.InstallationLog)
	if !ok {
		return nil, nil, fmt.Errorf("selecting logs: got a %T", obj)
	}
	return log.Labels, generic.ObjectMetaFieldsSet(&log.ObjectMeta, true), nil
}
