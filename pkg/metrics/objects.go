// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"sync"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	listers "ksit.io/ksit/pkg/generated/listers/ksit/v1alpha1"
)

// Objects are what the controllers look after. The listers must be filled.
type Objects struct {
	Integrations  listers.IntegrationLister
	Installations listers.InstallationLister
	Targets       listers.IntegrationTargetLister
	// Operations tells how many operations there are.
	Operations func() Operations
}

// Operations counts installs, upgrades, uninstalls and the like.
type Operations struct {
	// Queued wait until others are done.
	Queued int
	// Working act on their target.
	Working int
	// Settling have applied all, and wait until it is ready.
	Settling int
	// Slots is how many may be working at once.
	Slots int
}

// The words that the API has for types and phases. Every combination has a
// series, so that graphs have no holes.
var (
	integrationTypes = []v1alpha1.IntegrationType{
		v1alpha1.IntegrationTypeArgoCD, v1alpha1.IntegrationTypePrometheus, v1alpha1.IntegrationTypeIstio,
		v1alpha1.IntegrationTypeFlux, v1alpha1.IntegrationTypeGeneric,
	}
	phases = []v1alpha1.Phase{
		v1alpha1.PhasePending, v1alpha1.PhaseInstalling, v1alpha1.PhaseUpgrading, v1alpha1.PhaseRunning, v1alpha1.PhaseDegraded,
		v1alpha1.PhaseFailed, v1alpha1.PhaseUninstalling, v1alpha1.PhaseDisabled, v1alpha1.PhaseUnknown,
	}
)

// objects collects how Integrations, Installations and targets stand, from the
// caches of the controllers, when it is asked.
type objects struct {
	metrics.BaseStableCollector
	integrations, installations, retrying, targets, operations, slots *metrics.Desc
	phase, ofPhase, stalled, drifted                                  *metrics.Desc

	mu   sync.Mutex
	over *Objects
}

func newObjects() *objects {
	one := []string{"namespace", "integration"}
	return &objects{
		integrations:  gauge("ksit_integrations", "Number of Integrations, by type and phase.", "type", "phase"),
		installations: gauge("ksit_installations", "Number of Installations, by type and phase.", "type", "phase"),
		retrying: gauge("ksit_installations_retrying",
			"Number of Installations whose last attempt failed and that will be tried again, by type.", "type"),
		targets: gauge("ksit_targets", "Number of IntegrationTargets, by state: ready, unready or suspended.", "state"),
		operations: gauge("ksit_operations", "Number of installs, upgrades, uninstalls, rollbacks and corrections of drift, by state: "+
			"queued until others are done, working, or settling, which is to wait until what was applied is ready.", "state"),
		slots: gauge("ksit_operation_slots", "How many operations may be working at once."),
		phase: gauge("ksit_integration_phase", "1 for the phase that the Integration is in.",
			"namespace", "integration", "type", "phase"),
		ofPhase: gauge("ksit_integration_installations", "Number of Installations of the Integration, by phase. "+
			"What is beyond the bound is added up in integration=\"other\", without a namespace.", append(one, "phase")...),
		stalled: gauge("ksit_integration_installations_stalled",
			"Number of Installations of the Integration that are not tried again without help.", one...),
		drifted: gauge("ksit_integration_installations_drifted",
			"Number of Installations of the Integration of which something is not as it was applied.", one...),
	}
}

func (o *objects) show(over *Objects) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over = over
}

// DescribeWithStability implements metrics.StableCollector.
func (o *objects) DescribeWithStability(ch chan<- *metrics.Desc) {
	for _, desc := range []*metrics.Desc{
		o.integrations, o.installations, o.retrying, o.targets, o.operations, o.slots, o.phase, o.ofPhase, o.stalled, o.drifted,
	} {
		ch <- desc
	}
}

// CollectWithStability implements metrics.StableCollector.
func (o *objects) CollectWithStability(ch chan<- metrics.Metric) {
	o.mu.Lock()
	over := o.over
	o.mu.Unlock()
	if over == nil {
		// Another process leads, and has them.
		return
	}
	send := func(desc *metrics.Desc, value int, labels ...string) {
		ch <- metrics.NewLazyConstMetric(desc, metrics.GaugeValue, float64(value), labels...)
	}
	integrations, err := over.Integrations.List(labels.Everything())
	if err != nil {
		klog.ErrorS(err, "Listing Integrations for metrics")
		return
	}
	installations, err := over.Installations.List(labels.Everything())
	if err != nil {
		klog.ErrorS(err, "Listing Installations for metrics")
		return
	}
	targets, err := over.Targets.List(labels.Everything())
	if err != nil {
		klog.ErrorS(err, "Listing IntegrationTargets for metrics")
		return
	}
	o.sendTotals(send, integrations, installations)
	o.sendIntegrations(send, integrations, installations)
	for state, count := range countTargets(targets) {
		send(o.targets, count, state)
	}
	operations := over.Operations()
	send(o.operations, operations.Queued, "queued")
	send(o.operations, operations.Working, "working")
	send(o.operations, operations.Settling, "settling")
	send(o.slots, operations.Slots)
}

type sender func(desc *metrics.Desc, value int, labels ...string)

// sendTotals sends what has no names of objects.
func (o *objects) sendTotals(send sender, integrations []*v1alpha1.Integration, installations []*v1alpha1.Installation) {
	type kind struct {
		of    v1alpha1.IntegrationType
		phase v1alpha1.Phase
	}
	ofIntegrations, ofInstallations := map[kind]int{}, map[kind]int{}
	retrying := map[v1alpha1.IntegrationType]int{}
	for _, integration := range integrations {
		ofIntegrations[kind{integration.Spec.Type, phaseOf(integration.Status.Phase)}]++
	}
	for _, installation := range installations {
		ofInstallations[kind{installation.Spec.Type, phaseOf(installation.Status.Phase)}]++
		if installation.Status.NextRetryTime != nil {
			retrying[installation.Spec.Type]++
		}
	}
	for _, of := range integrationTypes {
		send(o.retrying, retrying[of], string(of))
		for _, phase := range phases {
			send(o.integrations, ofIntegrations[kind{of, phase}], string(of), string(phase))
			send(o.installations, ofInstallations[kind{of, phase}], string(of), string(phase))
		}
	}
}

func countTargets(targets []*v1alpha1.IntegrationTarget) map[string]int {
	states := map[string]int{"ready": 0, "unready": 0, "suspended": 0}
	for _, target := range targets {
		switch {
		case target.Spec.Suspend:
			states["suspended"]++
		case target.Status.Ready:
			states["ready"]++
		default:
			states["unready"]++
		}
	}
	return states
}

// phaseOf is the phase of an object that may be too new to have one.
func phaseOf(phase v1alpha1.Phase) v1alpha1.Phase {
	if phase == "" {
		return v1alpha1.PhasePending
	}
	return phase
}
