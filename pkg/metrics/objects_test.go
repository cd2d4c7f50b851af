// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-base/metrics"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	listers "ksit.io/ksit/pkg/generated/listers/ksit/v1alpha1"
)

func indexed(t testing.TB, objects ...runtime.Object) cache.Indexer {
	t.Helper()
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	for _, object := range objects {
		if err := indexer.Add(object); err != nil {
			t.Fatal(err)
		}
	}
	return indexer
}

func integration(name string, of v1alpha1.IntegrationType, phase v1alpha1.Phase) *v1alpha1.Integration {
	return &v1alpha1.Integration{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name},
		Spec:       v1alpha1.IntegrationSpec{Type: of},
		Status:     v1alpha1.IntegrationStatus{Phase: phase},
	}
}

func installation(of *v1alpha1.Integration, target string, phase v1alpha1.Phase, conditions ...string) *v1alpha1.Installation {
	i := &v1alpha1.Installation{
		ObjectMeta: metav1.ObjectMeta{Namespace: of.Namespace, Name: of.Name + "." + target},
		Spec:       v1alpha1.InstallationSpec{Integration: of.Name, Target: target, Type: of.Spec.Type},
		Status:     v1alpha1.InstallationStatus{Phase: phase},
	}
	for _, condition := range conditions {
		i.Status.Conditions = append(i.Status.Conditions, metav1.Condition{Type: condition, Status: metav1.ConditionTrue})
	}
	return i
}

func targetIn(name string, ready, suspended bool) *v1alpha1.IntegrationTarget {
	return &v1alpha1.IntegrationTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name},
		Spec:       v1alpha1.IntegrationTargetSpec{Suspend: suspended},
		Status:     v1alpha1.IntegrationTargetStatus{Ready: ready},
	}
}

// world has one of everything that is told apart.
func world(t testing.TB) Objects {
	argo := integration("argocd", v1alpha1.IntegrationTypeArgoCD, v1alpha1.PhaseDegraded)
	flux := integration("flux", v1alpha1.IntegrationTypeFlux, v1alpha1.PhaseFailed)
	fresh := integration("new", v1alpha1.IntegrationTypeGeneric, "")
	gone := integration("gone", v1alpha1.IntegrationTypeGeneric, "")
	retried := installation(flux, "two", v1alpha1.PhaseFailed)
	retried.Status.NextRetryTime = &metav1.Time{Time: time.Unix(1767225600, 0)}
	return Objects{
		Integrations: listers.NewIntegrationLister(indexed(t, argo, flux, fresh)),
		Installations: listers.NewInstallationLister(indexed(t,
			installation(argo, "one", v1alpha1.PhaseRunning, v1alpha1.ConditionDrifted),
			installation(argo, "two", v1alpha1.PhaseDegraded),
			installation(argo, "three", v1alpha1.PhaseRunning),
			installation(flux, "one", v1alpha1.PhaseFailed, v1alpha1.ConditionStalled),
			retried,
			// Its Integration is deleted already.
			installation(gone, "one", v1alpha1.PhaseUninstalling))),
		Targets: listers.NewIntegrationTargetLister(indexed(t,
			targetIn("one", true, false), targetIn("two", false, false), targetIn("three", true, false), targetIn("four", false, true))),
		Operations: func() Operations { return Operations{Queued: 4, Working: 2, Settling: 3, Slots: 10} },
	}
}

// crowd has many Integrations that run, with an Installation each, and one that
// does not, whose name comes last.
func crowd(t testing.TB, many int) Objects {
	t.Helper()
	var integrations, installations []runtime.Object
	for n := range many {
		running := integration(fmt.Sprintf("app-%05d", n), v1alpha1.IntegrationTypeGeneric, v1alpha1.PhaseRunning)
		integrations = append(integrations, running)
		installations = append(installations, installation(running, "one", v1alpha1.PhaseRunning))
	}
	failed := integration("zz-failed", v1alpha1.IntegrationTypeGeneric, v1alpha1.PhaseFailed)
	return Objects{
		Integrations:  listers.NewIntegrationLister(indexed(t, append(integrations, failed)...)),
		Installations: listers.NewInstallationLister(indexed(t, append(installations, installation(failed, "one", v1alpha1.PhaseFailed, v1alpha1.ConditionStalled))...)),
		Targets:       listers.NewIntegrationTargetLister(indexed(t)),
		Operations:    func() Operations { return Operations{} },
	}
}

// TestSeriesAreBounded has more Integrations and targets than have series of
// their own: the rest is added up, and what is in trouble is never in the rest.
func TestSeriesAreBounded(t *testing.T) {
	registry := metrics.NewKubeRegistry()
	m, err := New(registry)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Leads(crowd(t, 3*maxIntegrations))()
	for n := range 2 * maxTargets {
		m.TargetProbed(keyOf(fmt.Sprintf("target-%05d", n)), TargetProbe{Connected: true, Time: time.Unix(1767225600, 0)})
	}
	m.TargetProbed(keyOf("zz-lost"), TargetProbe{Time: time.Unix(1767225600, 0)})

	for name, want := range map[string]struct {
		labels string
		value  float64
		series int
	}{
		"ksit_integration_phase":                 {`integration="zz-failed",namespace="team",phase="Failed",type="generic"`, 1, maxIntegrations},
		"ksit_integration_installations":         {`integration="other",namespace="",phase="Running"`, 2*maxIntegrations + 1, maxIntegrations + 1},
		"ksit_integration_installations_stalled": {`integration="zz-failed",namespace="team"`, 1, maxIntegrations + 1},
		"ksit_integration_installations_drifted": {`integration="other",namespace=""`, 0, maxIntegrations + 1},
		"ksit_integrations":                      {`phase="Running",type="generic"`, 3 * maxIntegrations, len(integrationTypes) * len(phases)},
		"ksit_cluster_connection_status":         {`namespace="team",target="zz-lost"`, 0, maxTargets},
	} {
		values := valuesOf(t, registry, name)
		if got, there := values[want.labels]; !there || got != want.value || len(values) != want.series {
			t.Errorf("%s: %d series, want %d; {%s} is %v (%v), want %v", name, len(values), want.series, want.labels, got, there, want.value)
		}
	}
}

// BenchmarkScrape is what a scrape costs with as many Installations as KSIT is
// measured with.
func BenchmarkScrape(b *testing.B) {
	registry := metrics.NewKubeRegistry()
	m, err := New(registry)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Leads(crowd(b, 10000))()
	for b.Loop() {
		if _, err := registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
