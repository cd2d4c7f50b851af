// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/rollout"
)

// reasonRolloutStopped is the reason of the condition Stalled while a rollout
// has stopped. It is also the memory of it: see hasStopped.
const reasonRolloutStopped = "RolloutStopped"

// progress is how far an Integration has come on its clusters, and what holds
// it up.
type progress struct {
	plan rollout.Plan
	// resolving is true until it is known what the version of the chart stands
	// for.
	resolving bool
	// cycle names Integrations that wait for each other.
	cycle string
}

// progress plans the next step.
func (c *Controller) progress(integration *v1alpha1.Integration, wanted selection, there installations, asked asked) (progress, error) {
	p := progress{resolving: asked.resolving}
	var err error
	if p.cycle, err = c.cycle(integration); err != nil || p.resolving {
		return p, err
	}
	how := integration.Spec.Rollout
	if how != nil && !asked.spec.Enabled {
		// Nothing would come of it, and all at once when it is enabled again.
		how = how.DeepCopy()
		how.Paused = true
	}
	open, err := c.open(integration)
	if err != nil {
		return p, err
	}
	targets := make([]rollout.Target, 0, len(wanted.targets))
	for _, name := range wanted.targets {
		target, err := c.target(integration, name)
		if err != nil {
			return p, err
		}
		if there.former[name] || (target != nil && !target.Admits(integration.Namespace)) {
			target = nil
		}
		turn := turnOf(name, target, there.own[name], asked)
		turn.Blocked = open != nil && !open[v1alpha1.ParseTarget(integration.Namespace, name)]
		targets = append(targets, turn)
	}
	if p.plan, err = rollout.New(how, targets, hasStopped(integration), time.Now()); err != nil {
		return p, fmt.Errorf("planning the rollout of Integration %s/%s: %w", integration.Namespace, integration.Name, err)
	}
	return p, nil
}

// open returns the targets on which every Integration that comes before this one
// runs; nil where none comes before.
func (c *Controller) open(integration *v1alpha1.Integration) (map[types.NamespacedName]bool, error) {
	var open map[types.NamespacedName]bool
	for n, dependency := range integration.Spec.DependsOn {
		there, err := c.Installations.OfIntegration(types.NamespacedName{Namespace: integration.Namespace, Name: dependency.Name})
		if err != nil {
			return nil, err
		}
		run := map[types.NamespacedName]bool{}
		for _, i := range there {
			if key := i.TargetKey(); i.Runs() && (n == 0 || open[key]) {
				run[key] = true
			}
		}
		open = run
	}
	return open, nil
}

// hasStopped tells whether the rollout has stopped since the spec last changed
// or a reconcile was asked for.
func hasStopped(integration *v1alpha1.Integration) bool {
	stalled := meta.FindStatusCondition(integration.Status.Conditions, v1alpha1.ConditionStalled)
	return stalled != nil && stalled.Status == metav1.ConditionTrue && stalled.Reason == reasonRolloutStopped &&
		stalled.ObservedGeneration == integration.Generation &&
		integration.Status.LastReconcileRequest == integration.Annotations[v1alpha1.AnnotationReconcile]
}

// turnOf is a cluster as a rollout sees it. target is nil where there is none to
// install on.
func turnOf(name string, target *v1alpha1.IntegrationTarget, installation *v1alpha1.Installation, asked asked) rollout.Target {
	turn := rollout.Target{Name: name, State: rollout.Unreachable}
	if target != nil {
		turn.Labels = target.Labels
	}
	if installation == nil {
		if reachable(target) {
			turn.State = rollout.Idle
		}
		return turn
	}
	spec := asked.on(name, installation)
	turn.Begun = begun(installation, spec)
	if !reachable(target) || installation.DeletionTimestamp != nil {
		return turn
	}
	turn.State = stateOf(installation, turn.Begun)
	switch {
	case !turn.Begun || turn.State == rollout.Unreachable:
	case !current(installation, spec):
		turn.State = rollout.Progressing
	case installation.Status.Hold != nil && turn.State == rollout.Ready:
		// Somebody took the change back there, on purpose: that is no failure of
		// it, nobody waits for it, and it is no proof that the change is good.
		turn.State = rollout.Unreachable
	}
	if turn.State == rollout.Ready {
		if ready := meta.FindStatusCondition(installation.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
			turn.Since = ready.LastTransitionTime.Time
		}
	}
	return turn
}

func reachable(target *v1alpha1.IntegrationTarget) bool {
	return target != nil && target.DeletionTimestamp == nil && !target.Spec.Suspend && target.Status.Ready
}

// stateOf reads the phase. Pending is a cluster on which nothing goes on only
// where nothing was given to it, or it was disabled.
func stateOf(installation *v1alpha1.Installation, begun bool) rollout.State {
	switch installation.Status.Phase {
	case v1alpha1.PhaseRunning:
		return rollout.Ready
	case v1alpha1.PhaseFailed, v1alpha1.PhaseDegraded:
		return rollout.Failed
	case v1alpha1.PhaseUnknown:
		return rollout.Unreachable
	case v1alpha1.PhaseInstalling, v1alpha1.PhaseUpgrading:
		return rollout.Progressing
	case v1alpha1.PhaseDisabled:
		if !begun {
			return rollout.Idle
		}
	default:
		if !begun && installation.Spec.WaitsFor != "" {
			return rollout.Idle
		}
	}
	return rollout.Progressing
}

// begun tells whether an Installation has the change: what it would install is
// what is asked for.
func begun(installation *v1alpha1.Installation, spec v1alpha1.InstallationSpec) bool {
	kept := keepWhatRuns(spec, installation.Spec)
	kept.WaitsFor = spec.WaitsFor
	if !equality.Semantic.DeepEqual(kept, spec) {
		return false
	}
	return installation.Spec.WaitsFor == "" || touched(installation)
}

// touched tells whether anything was ever done on the cluster.
func touched(installation *v1alpha1.Installation) bool {
	st := &installation.Status
	return st.AppliedDigest != "" || st.LastOperation != nil || len(st.Releases) > 0
}

// current tells whether the status of an Installation is about what is asked
// for, rather than about what it had before.
func current(installation *v1alpha1.Installation, spec v1alpha1.InstallationSpec) bool {
	return equality.Semantic.DeepEqual(installation.Spec, spec) &&
		installation.Status.ObservedGeneration == installation.Generation &&
		installation.Status.LastReconcileRequest == spec.ReconcileRequest
}

// heldBack is the spec of an Installation whose turn has not come. What runs
// stays, or was begun; where nothing was, the newest spec is there to be seen.
func heldBack(spec v1alpha1.InstallationSpec, existing *v1alpha1.Installation, waits string) v1alpha1.InstallationSpec {
	if existing != nil && (existing.Spec.WaitsFor == "" || touched(existing)) {
		spec = keepWhatRuns(spec, existing.Spec)
	}
	spec.WaitsFor = waits
	return spec
}

// keepWhatRuns returns spec with the part of present that decides what is
// installed: what a rollout holds back.
func keepWhatRuns(spec, present v1alpha1.InstallationSpec) v1alpha1.InstallationSpec {
	present = *present.DeepCopy()
	spec.Config, spec.SourcesDigest, spec.WaitsFor = present.Config, present.SourcesDigest, present.WaitsFor
	// It is none of this controller's: the API server keeps it.
	spec.Operation = present.Operation
	if spec.AutoInstall == nil || present.AutoInstall == nil {
		spec.AutoInstall = present.AutoInstall
		return spec
	}
	kept := spec.AutoInstall.DeepCopy()
	kept.Enabled, kept.Method, kept.CRDPolicy = present.AutoInstall.Enabled, present.AutoInstall.Method, present.AutoInstall.CRDPolicy
	kept.HelmConfig, kept.ManifestConfig = present.AutoInstall.HelmConfig, present.AutoInstall.ManifestConfig
	spec.AutoInstall = kept
	return spec
}
