// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

func table() resource.Table[*ksit.Installation] {
	return resource.Table[*ksit.Installation]{
		Columns: []metav1.TableColumnDefinition{
			resource.NameColumn(),
			{Name: "Integration", Type: "string", Description: "What is installed."},
			{Name: "Target", Type: "string", Description: "Where it is installed."},
			{Name: "Phase", Type: "string", Description: "Where the installation is."},
			{Name: "Version", Type: "string", Description: "The version that is installed."},
			resource.AgeColumn(),
			{Name: "Revision", Type: "string", Priority: 1, Description: "How many times it was installed or upgraded."},
			{Name: "Healthy", Type: "string", Priority: 1, Description: "Whether every check of the last probe passed."},
			{Name: "Drifted", Type: "string", Priority: 1, Description: "Whether objects are no longer as they were applied."},
			{Name: "Message", Type: "string", Priority: 1, Description: "What the phase is due to."},
		},
		Cells: func(installation *ksit.Installation, age string) []any {
			status := &installation.Status
			main := mainRelease(status.Releases)
			return []any{
				installation.Name,
				installation.Spec.Integration,
				targetName(installation),
				resource.Text(status.Phase),
				resource.Text(main.Version),
				age,
				revision(main.Revision),
				resource.ConditionStatus(status.Conditions, v1alpha1.ConditionHealthy),
				resource.ConditionStatus(status.Conditions, v1alpha1.ConditionDrifted),
				resource.Text(status.Message),
			}
		},
	}
}

// targetName is what a user of the namespace calls the target.
func targetName(installation *ksit.Installation) string {
	if of := installation.Spec.TargetNamespace; of != "" && of != installation.Namespace {
		return of + "/" + installation.Spec.Target
	}
	return installation.Spec.Target
}

// mainRelease returns the release that the user named: the last one, since what
// comes before it is what it needs.
func mainRelease(releases []ksit.ReleaseStatus) ksit.ReleaseStatus {
	if len(releases) == 0 {
		return ksit.ReleaseStatus{}
	}
	return releases[len(releases)-1]
}

func revision(number int64) string {
	if number == 0 {
		return resource.None
	}
	return strconv.FormatInt(number, 10)
}
