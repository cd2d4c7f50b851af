// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

func table() resource.Table[*ksit.IntegrationTarget] {
	return resource.Table[*ksit.IntegrationTarget]{
		Columns: []metav1.TableColumnDefinition{
			resource.NameColumn(),
			{Name: "Cluster", Type: "string", Description: "The name of the cluster."},
			{Name: "Ready", Type: "string", Description: "Whether the cluster can be installed on."},
			{Name: "Version", Type: "string", Description: "The Kubernetes version of the cluster."},
			{Name: "Nodes", Type: "string", Description: "Nodes that are ready, of all."},
			{Name: "Installations", Type: "integer", Description: "How many Installations are on the cluster."},
			resource.AgeColumn(),
			{Name: "Endpoint", Type: "string", Priority: 1, Description: "The URL of the cluster's API server."},
			{Name: "Latency", Type: "string", Priority: 1, Description: "The round trip to the API server."},
			{Name: "Credentials Expire", Type: "string", Priority: 1, Description: "The time until the credentials end."},
		},
		Cells: func(target *ksit.IntegrationTarget, age string) []any {
			status := &target.Status
			return []any{
				target.Name,
				target.Spec.ClusterName,
				strings.ToLower(resource.ConditionStatus(status.Conditions, v1alpha1.ConditionReady)),
				resource.Text(status.Version),
				nodes(status.Nodes),
				int64(status.Installations),
				age,
				resource.Text(status.Endpoint),
				latency(status.LatencyMilliseconds),
				expiry(status.CredentialsExpireAt, time.Now()),
			}
		},
	}
}

func nodes(counts *ksit.NodeCounts) string {
	if counts == nil {
		return resource.None
	}
	return fmt.Sprintf("%d/%d", counts.Ready, counts.Total)
}

func latency(milliseconds int64) string {
	if milliseconds == 0 {
		return resource.None
	}
	return fmt.Sprintf("%dms", milliseconds)
}

// expiry says in words how far the end of the credentials is.
func expiry(at *metav1.Time, now time.Time) string {
	switch {
	case at == nil:
		return resource.None
	case !at.After(now):
		return "expired"
	default:
		return duration.HumanDuration(at.Sub(now))
	}
}
