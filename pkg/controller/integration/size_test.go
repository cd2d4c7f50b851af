// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/status"
)

// maxObject is what an object may take in etcd, whatever happens on however many
// clusters: far from the 1.5 MiB at which etcd refuses it.
const maxObject = 128 << 10

// TestInstallationsStaySmall fills every part of a status to the bound that the
// API sets, with texts as long as controllers write them.
func TestInstallationsStaySmall(t *testing.T) {
	text, name := strings.Repeat("x", status.MaxMessage), strings.Repeat("n", 253)
	installation := newInstallation(integration(), installationSpec(integration(), "one"))
	s := &installation.Status
	s.Message, s.Values = text, strings.Repeat("v", v1alpha1.MaxStatusValues)
	for _, kind := range []string{"Ready", "Installed", "Healthy", "Stalled", "Drifted", "Remediated"} {
		status.Set(&s.Conditions, 1, kind, metav1.ConditionFalse, "Reason", text)
	}
	for range 20 {
		s.Unhealthy = append(s.Unhealthy, v1alpha1.UnhealthyResource{Kind: "Deployment", Namespace: name, Name: name, Message: text[:512]})
		s.Drifted = append(s.Drifted, v1alpha1.DriftedResource{Kind: "Deployment", Namespace: name, Name: name,
			Fields: []string{name, name, name, name, name}})
	}
	for range 32 {
		s.Checks = append(s.Checks, v1alpha1.CheckResult{Name: "objects", State: v1alpha1.CheckFailed, Message: text[:512]})
	}
	s.LastOperation = &v1alpha1.Operation{Type: v1alpha1.OperationUpgrade, Message: text, FinishedAt: &metav1.Time{Time: time.Now()}}
	for range 16 {
		s.Releases = append(s.Releases, v1alpha1.ReleaseStatus{Name: name, Namespace: name, Chart: name, Version: name, AppVersion: name})
	}
	if size := installation.Size(); size > maxObject {
		t.Errorf("an Installation takes %d bytes", size)
	}
}

// TestAThousandTargets counts what a fleet costs: a write for each change of an
// Installation, and none for those that do not change.
func TestAThousandTargets(t *testing.T) {
	const fleet = 1000
	targets := make([]string, fleet)
	for n := range targets {
		targets[n] = fmt.Sprintf("target-%04d", n)
	}
	w := newWorld(t, func(i *v1alpha1.Integration) { oneByOne(i); version("1.0.0")(i) }, targets...)
	step := func() int {
		w.sync()
		w.client.ClearActions()
		if _, err := w.controller.Reconcile(t.Context(), worldKey); err != nil {
			t.Fatal(err)
		}
		return w.writes()
	}
	// One for each, the finalizer and the status.
	if writes := step(); writes != fleet+2 {
		t.Errorf("%d writes to make %d Installations", writes, fleet)
	}
	if writes := step(); writes != 0 {
		t.Errorf("%d writes when nothing changed", writes)
	}
	for n := range 5 {
		w.ends(targets[n], v1alpha1.PhaseRunning)
		if writes := step(); writes != 2 {
			t.Errorf("%d writes for the next in its turn; want its own and the status", writes)
		}
	}
	if size := w.integration().Size(); size > maxObject {
		t.Errorf("the Integration takes %d bytes", size)
	}
}
