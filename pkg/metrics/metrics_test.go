// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/testutil"
)

// TestNames pins the names and labels, which users build dashboards on.
func TestNames(t *testing.T) {
	registry := metrics.NewKubeRegistry()
	m, err := New(registry)
	if err != nil {
		t.Fatal(err)
	}
	one := types.NamespacedName{Namespace: "ksit-system", Name: "production-cluster-1"}
	gone := types.NamespacedName{Namespace: "ksit-system", Name: "gone"}
	m.SetConnection(one, true)
	m.SetConnection(gone, false)
	m.DeleteConnection(gone)
	m.InstallSucceeded("argocd", "helm")
	m.InstallFailed("flux", "manifest", "NotReady")
	m.DriftFound("argocd", 3)
	m.DriftCorrected("argocd", 2)
	const want = `
# HELP ksit_autoinstall_failure_total [ALPHA] Installs and upgrades that failed, by type of the Integration, method and reason.
# TYPE ksit_autoinstall_failure_total counter
ksit_autoinstall_failure_total{method="manifest",reason="NotReady",type="flux"} 1
# HELP ksit_autoinstall_success_total [ALPHA] Installs and upgrades that went through, by type of the Integration and method.
# TYPE ksit_autoinstall_success_total counter
ksit_autoinstall_success_total{method="helm",type="argocd"} 1
# HELP ksit_cluster_connection_status [ALPHA] 1 while the IntegrationTarget is ready, 0 while it is not.
# TYPE ksit_cluster_connection_status gauge
ksit_cluster_connection_status{namespace="ksit-system",target="production-cluster-1"} 1
# HELP ksit_drift_corrected_total [ALPHA] Objects that were brought back to what was applied, by type of the Integration.
# TYPE ksit_drift_corrected_total counter
ksit_drift_corrected_total{type="argocd"} 2
# HELP ksit_drift_detected_total [ALPHA] Objects that were found not to be as they were applied, by type of the Integration; again when what has drifted changes.
# TYPE ksit_drift_detected_total counter
ksit_drift_detected_total{type="argocd"} 3
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want),
		"ksit_autoinstall_failure_total", "ksit_autoinstall_success_total", "ksit_cluster_connection_status",
		"ksit_drift_corrected_total", "ksit_drift_detected_total"); err != nil {
		t.Error(err)
	}

	m.ObserveReconcile("operation", 90*time.Second, errors.New("x"))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "ksit_integration_reconcile_duration_seconds" {
			histogram := family.GetMetric()[0]
			if got := histogram.GetHistogram().GetSampleCount(); got != 1 {
				t.Errorf("%d samples", got)
			}
			return
		}
	}
	t.Error("ksit_integration_reconcile_duration_seconds is not there")
}

func TestNewFailsOnNamesThatAreTaken(t *testing.T) {
	registry := metrics.NewKubeRegistry()
	if _, err := New(registry); err != nil {
		t.Fatal(err)
	}
	if _, err := New(registry); err == nil {
		t.Error("the same names were registered twice")
	}
}
