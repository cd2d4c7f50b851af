// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// maxIntegrations bounds the Integrations that have series of their own.
const maxIntegrations = 500

// other stands for all Integrations beyond the bound. It has no namespace, and
// so is none of any user's.
const other = "other"

// integrationState is how one Integration stands.
type integrationState struct {
	name types.NamespacedName
	// of and phase are empty when the Integration is gone and its Installations
	// are not yet.
	of               v1alpha1.IntegrationType
	phase            v1alpha1.Phase
	ofPhase          map[v1alpha1.Phase]int
	stalled, drifted int
}

func (s *integrationState) add(more *integrationState) {
	for phase, count := range more.ofPhase {
		s.ofPhase[phase] += count
	}
	s.stalled += more.stalled
	s.drifted += more.drifted
}

// trouble tells whether somebody should look at it.
func (s *integrationState) trouble() bool {
	return s.stalled > 0 || s.drifted > 0 || (s.phase != v1alpha1.PhaseRunning && s.phase != v1alpha1.PhaseDisabled)
}

// sendIntegrations sends what there is of each Integration.
func (o *objects) sendIntegrations(send sender, integrations []*v1alpha1.Integration, installations []*v1alpha1.Installation) {
	for _, state := range boundedStates(stateOf(integrations, installations)) {
		namespace, name := state.name.Namespace, state.name.Name
		if state.phase != "" {
			send(o.phase, 1, namespace, name, string(state.of), string(state.phase))
		}
		for phase, count := range state.ofPhase {
			send(o.ofPhase, count, namespace, name, string(phase))
		}
		send(o.stalled, state.stalled, namespace, name)
		send(o.drifted, state.drifted, namespace, name)
	}
}

func stateOf(integrations []*v1alpha1.Integration, installations []*v1alpha1.Installation) []*integrationState {
	states := map[types.NamespacedName]*integrationState{}
	of := func(namespace, name string) *integrationState {
		key := types.NamespacedName{Namespace: namespace, Name: name}
		if states[key] == nil {
			states[key] = &integrationState{name: key, ofPhase: map[v1alpha1.Phase]int{}}
		}
		return states[key]
	}
	for _, integration := range integrations {
		state := of(integration.Namespace, integration.Name)
		state.of, state.phase = integration.Spec.Type, phaseOf(integration.Status.Phase)
	}
	for _, installation := range installations {
		state := of(installation.Namespace, installation.Spec.Integration)
		state.ofPhase[phaseOf(installation.Status.Phase)]++
		if meta.IsStatusConditionTrue(installation.Status.Conditions, v1alpha1.ConditionStalled) {
			state.stalled++
		}
		if meta.IsStatusConditionTrue(installation.Status.Conditions, v1alpha1.ConditionDrifted) {
			state.drifted++
		}
	}
	all := make([]*integrationState, 0, len(states))
	for _, state := range states {
		all = append(all, state)
	}
	return all
}

// boundedStates adds up what is beyond the bound. Those in trouble are kept
// first, so that none of them is hidden while there is room.
func boundedStates(all []*integrationState) []*integrationState {
	slices.SortFunc(all, func(a, b *integrationState) int {
		if a.trouble() != b.trouble() {
			if a.trouble() {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.name.Namespace, b.name.Namespace), cmp.Compare(a.name.Name, b.name.Name))
	})
	if len(all) <= maxIntegrations {
		return all
	}
	rest := &integrationState{name: types.NamespacedName{Name: other}, ofPhase: map[v1alpha1.Phase]int{}}
	for _, state := range all[maxIntegrations:] {
		rest.add(state)
	}
	return append(all[:maxIntegrations:maxIntegrations], rest)
}
