// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit"
)

func testTable() Table[*ksit.Integration] {
	return Table[*ksit.Integration]{
		Columns: []metav1.TableColumnDefinition{NameColumn(), AgeColumn()},
		Cells:   func(integration *ksit.Integration, age string) []any { return []any{integration.Name, age} },
	}
}

// A client that reads a list in pieces needs what the list says of itself.
func TestTableKeepsListMeta(t *testing.T) {
	remaining := int64(7)
	list := &ksit.IntegrationList{
		ListMeta: metav1.ListMeta{ResourceVersion: "12", Continue: "more", RemainingItemCount: &remaining},
		Items:    []ksit.Integration{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, {ObjectMeta: metav1.ObjectMeta{Name: "b"}}},
	}
	table, err := testTable().ConvertToTable(t.Context(), list, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list.ListMeta, table.ListMeta); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(table.Rows) != 2 || len(table.ColumnDefinitions) != 2 {
		t.Errorf("got %d rows and %d columns", len(table.Rows), len(table.ColumnDefinitions))
	}
}

func TestTableOfOne(t *testing.T) {
	object := &ksit.Integration{ObjectMeta: metav1.ObjectMeta{Name: "a", ResourceVersion: "12"}}
	table, err := testTable().ConvertToTable(t.Context(), object, &metav1.TableOptions{NoHeaders: true})
	if err != nil {
		t.Fatal(err)
	}
	if table.ResourceVersion != "12" || len(table.ColumnDefinitions) != 0 {
		t.Errorf("got resource version %q and %d columns", table.ResourceVersion, len(table.ColumnDefinitions))
	}
	if diff := cmp.Diff([]any{"a", "<unknown>"}, table.Rows[0].Cells); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTableOfAnotherKind(t *testing.T) {
	if _, err := testTable().ConvertToTable(t.Context(), &ksit.Installation{}, nil); err == nil {
		t.Error("a row of another kind is no error")
	}
}
