// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

func table() resource.Table[*ksit.Integration] {
	return resource.Table[*ksit.Integration]{
		Columns: []metav1.TableColumnDefinition{
			resource.NameColumn(),
			{Name: "Type", Type: "string", Description: "What is installed."},
			{Name: "Phase", Type: "string", Description: "The worst phase of all clusters."},
			{Name: "Targets", Type: "string", Description: "Clusters on which it is healthy, of all that are named or selected."},
			{Name: "Version", Type: "string", Description: "The version that is installed; all of them where clusters differ."},
			resource.AgeColumn(),
			{Name: "Chart", Type: "string", Priority: 1, Description: "The chart, or the manifests, installed."},
			{Name: "Message", Type: "string", Priority: 1, Description: "What the phase is due to."},
		},
		Cells: func(integration *ksit.Integration, age string) []any {
			status := &integration.Status
			return []any{
				integration.Name,
				string(integration.Spec.Type),
				resource.Text(status.Phase),
				fmt.Sprintf("%d/%d", status.Healthy, status.Targets),
				resource.Text(status.Version),
				age,
				resource.Text(status.Chart),
				resource.Text(status.Message),
			}
		},
	}
}
