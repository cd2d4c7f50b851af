// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metatable "k8s.io/apimachinery/pkg/api/meta/table"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
)

// None is what a column shows where there is nothing.
const None = "<none>"

// Table makes the columns of a kind.
type Table[T runtime.Object] struct {
	// Columns are the headers. Those of a priority over 0 show in wide output
	// only.
	Columns []metav1.TableColumnDefinition
	// Cells returns the row of an object, a cell for each column. age is the
	// time since its creation, in words.
	Cells func(object T, age string) []any
}

var _ rest.TableConvertor = Table[runtime.Object]{}

// ConvertToTable makes the table of an object or a list of objects.
func (t Table[T]) ConvertToTable(_ context.Context, object, options runtime.Object) (*metav1.Table, error) {
	var table metav1.Table
	if list, err := meta.ListAccessor(object); err == nil {
		table.ResourceVersion = list.GetResourceVersion()
		table.Continue = list.GetContinue()
		table.RemainingItemCount = list.GetRemainingItemCount()
	} else if single, err := meta.CommonAccessor(object); err == nil {
		table.ResourceVersion = single.GetResourceVersion()
	}
	if given, ok := options.(*metav1.TableOptions); !ok || given == nil || !given.NoHeaders {
		table.ColumnDefinitions = t.Columns
	}
	var err error
	table.Rows, err = metatable.MetaToTableRow(object, func(object runtime.Object, _ metav1.Object, _, age string) ([]any, error) {
		typed, ok := object.(T)
		if !ok {
			return nil, fmt.Errorf("making a table row: got a %T", object)
		}
		return t.Cells(typed, age), nil
	})
	return &table, err
}

// Text returns a text for a cell, and None for an empty one.
func Text[T ~string](text T) string {
	if text == "" {
		return None
	}
	return string(text)
}

// ConditionStatus returns the status of a condition for a cell: Unknown when
// the object does not have it yet.
func ConditionStatus(conditions []metav1.Condition, conditionType string) string {
	if condition := meta.FindStatusCondition(conditions, conditionType); condition != nil {
		return string(condition.Status)
	}
	return string(metav1.ConditionUnknown)
}

// NameColumn returns the definition of the column that every kind begins with.
func NameColumn() metav1.TableColumnDefinition {
	return metav1.TableColumnDefinition{Name: "Name", Type: "string", Format: "name", Description: metav1.ObjectMeta{}.SwaggerDoc()["name"]}
}

// AgeColumn returns the definition of the column with the age of the object.
func AgeColumn() metav1.TableColumnDefinition {
	return metav1.TableColumnDefinition{Name: "Age", Type: "string", Description: metav1.ObjectMeta{}.SwaggerDoc()["creationTimestamp"]}
}
