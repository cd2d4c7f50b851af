// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/tools/cache"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/index"
	listers "ksit.io/ksit/pkg/generated/listers/ksit/v1alpha1"
)

// What many Installations change at once is joined up after a moment rather
// than with each of them.
const (
	joinStatusAfter = 200 * time.Millisecond
	countAfter      = time.Second
)

// routes say who is reconciled when an object changes. Changes of status alone
// do not bring a controller back to what it wrote itself.
type routes struct {
	manager       *Manager
	installations *index.Installations
	integrations  listers.IntegrationLister
	naming        *index.Integrations
}

func (r routes) forIntegrations() cache.ResourceEventHandler {
	return handler[v1alpha1.Integration]{
		added:   r.integration,
		removed: r.integration,
		changed: func(before, after *v1alpha1.Integration) {
			switch {
			case specChanged(before, after) || before.Annotations[v1alpha1.AnnotationReconcile] != after.Annotations[v1alpha1.AnnotationReconcile]:
				r.integration(after)
			case versions(before) != versions(after):
				// Found out by the workers that ask repositories.
				r.manager.integrations.AddObject(after)
			}
		},
	}
}

func (r routes) integration(i *v1alpha1.Integration) {
	r.manager.integrations.AddObject(i)
	r.manager.charts.AddObject(i)
}

// versions is what the chart of an Integration was found to stand for, but for
// the time.
func versions(i *v1alpha1.Integration) v1alpha1.ResolvedChart {
	if i.Status.ResolvedChart == nil {
		return v1alpha1.ResolvedChart{}
	}
	resolved := *i.Status.ResolvedChart
	resolved.CheckedAt = nil
	return resolved
}

func (r routes) forTargets() cache.ResourceEventHandler {
	all := func(t *v1alpha1.IntegrationTarget) {
		r.manager.targets.AddObject(t)
		r.installationsOn(t, everything)
		r.integrationsOf(t.Namespace, concerned)
		r.integrationsNaming(t, everyOne)
	}
	return handler[v1alpha1.IntegrationTarget]{
		added:   all,
		removed: all,
		changed: func(before, after *v1alpha1.IntegrationTarget) {
			spec := specChanged(before, after)
			labelled := !labels.Equals(before.Labels, after.Labels)
			ready := before.Status.Ready != after.Status.Ready
			if asked := before.Annotations[v1alpha1.AnnotationReconcile] != after.Annotations[v1alpha1.AnnotationReconcile]; spec || asked {
				r.manager.targets.AddObject(after)
			}
			switch {
			case spec || ready || !sameReady(before, after):
				r.installationsOn(after, everything)
			case labelled || !labels.Equals(before.Annotations, after.Annotations):
				r.installationsOn(after, templated)
			}
			switch {
			case spec || labelled:
				r.integrationsOf(after.Namespace, concerned)
				r.integrationsNaming(after, everyOne)
			case ready:
				r.integrationsOf(after.Namespace, rollsOut)
				r.integrationsNaming(after, rollsOut)
			}
		},
	}
}

func (r routes) forInstallations() cache.ResourceEventHandler {
	owner := func(i *v1alpha1.Installation, after time.Duration) {
		r.manager.integrations.AddAfter(types.NamespacedName{Namespace: i.Namespace, Name: i.Spec.Integration}, after)
	}
	target := func(i *v1alpha1.Installation) {
		r.manager.targets.AddAfter(i.TargetKey(), countAfter)
	}
	return handler[v1alpha1.Installation]{
		added: func(i *v1alpha1.Installation) {
			r.manager.probes.AddObject(i)
			owner(i, joinStatusAfter)
			target(i)
			r.dependants(i)
		},
		removed: func(i *v1alpha1.Installation) {
			r.manager.probes.AddObject(i)
			owner(i, 0)
			target(i)
			r.dependants(i)
		},
		changed: func(before, after *v1alpha1.Installation) {
			if specChanged(before, after) {
				r.manager.probes.AddObject(after)
			}
			owner(after, joinStatusAfter)
			if before.Runs() != after.Runs() {
				r.dependants(after)
			}
		},
	}
}

// dependants has those Installations on the same target reconciled that wait
// for this one, or should; and where one waits for its turn in a rollout, its
// Integration.
func (r routes) dependants(of *v1alpha1.Installation) {
	r.installationsAt(of.TargetKey(), func(i *v1alpha1.Installation) bool {
		depends := i.Namespace == of.Namespace && slices.ContainsFunc(i.Spec.DependsOn, func(d v1alpha1.IntegrationDependency) bool { return d.Name == of.Spec.Integration })
		if depends && i.Spec.WaitsFor != "" {
			r.manager.integrations.AddAfter(types.NamespacedName{Namespace: i.Namespace, Name: i.Spec.Integration}, joinStatusAfter)
		}
		return depends
	})
}

func everything(*v1alpha1.Installation) bool { return true }

// templated tells whether labels and annotations of the target are part of what
// is installed.
func templated(i *v1alpha1.Installation) bool {
	install := i.Spec.AutoInstall
	return install != nil && install.HelmConfig != nil && install.HelmConfig.TemplateValues
}

// installationsOn has those on a target reconciled: it became ready, or ceased to
// be, or is called something else.
func (r routes) installationsOn(target *v1alpha1.IntegrationTarget, which func(*v1alpha1.Installation) bool) {
	r.installationsAt(types.NamespacedName{Namespace: target.Namespace, Name: target.Name}, which)
}

func (r routes) installationsAt(target types.NamespacedName, which func(*v1alpha1.Installation) bool) {
	list, err := r.installations.OnTarget(target)
	if err != nil {
		runtime.HandleError(err)
		return
	}
	for _, installation := range list {
		if which(installation) {
			r.manager.probes.AddObject(installation)
		}
	}
}

// rollsOut tells whether it counts for an Integration which targets can be
// reached.
func rollsOut(i *v1alpha1.Integration) bool { return i.Spec.Rollout != nil }

// concerned tells whether the labels of targets count for an Integration.
func concerned(i *v1alpha1.Integration) bool { return i.Spec.TargetSelector != nil || rollsOut(i) }

// integrationsOf has those of a namespace reconciled that a target may concern.
func (r routes) integrationsOf(namespace string, which func(*v1alpha1.Integration) bool) {
	list, err := r.integrations.Integrations(namespace).List(labels.Everything())
	r.reconcile(list, err, which)
}

// reconcile has some of those that were found reconciled.
func (r routes) reconcile(list []*v1alpha1.Integration, err error, which func(*v1alpha1.Integration) bool) {
	if err != nil {
		runtime.HandleError(err)
		return
	}
	for _, integration := range list {
		if which(integration) {
			r.manager.integrations.AddObject(integration)
		}
	}
}

func everyOne(*v1alpha1.Integration) bool { return true }

// integrationsNaming has those of other namespaces reconciled that name a
// target: whether it admits them may have changed.
func (r routes) integrationsNaming(target *v1alpha1.IntegrationTarget, which func(*v1alpha1.Integration) bool) {
	list, err := r.naming.Naming(types.NamespacedName{Namespace: target.Namespace, Name: target.Name})
	r.reconcile(list, err, which)
}

// specChanged tells whether more than the status changed that a controller
// acts on. Deletion raises the generation as well.
func specChanged(before, after metav1.Object) bool {
	return before.GetUID() != after.GetUID() ||
		before.GetGeneration() != after.GetGeneration() ||
		(before.GetDeletionTimestamp() == nil) != (after.GetDeletionTimestamp() == nil) ||
		!slices.Equal(before.GetFinalizers(), after.GetFinalizers())
}

// sameReady compares the messages of the condition Ready, which Installations
// that wait for the target repeat.
func sameReady(before, after *v1alpha1.IntegrationTarget) bool {
	message := func(t *v1alpha1.IntegrationTarget) string {
		for _, c := range t.Status.Conditions {
			if c.Type == v1alpha1.ConditionReady {
				return c.Message
			}
		}
		return ""
	}
	return message(before) == message(after)
}
