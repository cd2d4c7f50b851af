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
}

func (r routes) forIntegrations() cache.ResourceEventHandler {
	return handler[v1alpha1.Integration]{
		added:   func(i *v1alpha1.Integration) { r.manager.integrations.AddObject(i) },
		removed: func(i *v1alpha1.Integration) { r.manager.integrations.AddObject(i) },
		changed: func(before, after *v1alpha1.Integration) {
			if specChanged(before, after) || before.Annotations[v1alpha1.AnnotationReconcile] != after.Annotations[v1alpha1.AnnotationReconcile] {
				r.manager.integrations.AddObject(after)
			}
		},
	}
}

func (r routes) forTargets() cache.ResourceEventHandler {
	all := func(t *v1alpha1.IntegrationTarget) {
		r.manager.targets.AddObject(t)
		r.installationsOn(t)
		r.selecting(t.Namespace)
	}
	return handler[v1alpha1.IntegrationTarget]{
		added:   all,
		removed: all,
		changed: func(before, after *v1alpha1.IntegrationTarget) {
			spec := specChanged(before, after)
			if spec {
				r.manager.targets.AddObject(after)
			}
			if spec || before.Status.Ready != after.Status.Ready || !sameReady(before, after) {
				r.installationsOn(after)
			}
			if spec || !labels.Equals(before.Labels, after.Labels) {
				r.selecting(after.Namespace)
			}
		},
	}
}

func (r routes) forInstallations() cache.ResourceEventHandler {
	owner := func(i *v1alpha1.Installation, after time.Duration) {
		r.manager.integrations.AddAfter(types.NamespacedName{Namespace: i.Namespace, Name: i.Spec.Integration}, after)
	}
	target := func(i *v1alpha1.Installation) {
		r.manager.targets.AddAfter(types.NamespacedName{Namespace: i.Namespace, Name: i.Spec.Target}, countAfter)
	}
	return handler[v1alpha1.Installation]{
		added: func(i *v1alpha1.Installation) {
			r.manager.probes.AddObject(i)
			owner(i, joinStatusAfter)
			target(i)
		},
		removed: func(i *v1alpha1.Installation) {
			r.manager.probes.AddObject(i)
			owner(i, 0)
			target(i)
		},
		changed: func(before, after *v1alpha1.Installation) {
			if specChanged(before, after) {
				r.manager.probes.AddObject(after)
			}
			owner(after, joinStatusAfter)
		},
	}
}

// installationsOn has everything on a target reconciled: it became ready, or
// ceased to be.
func (r routes) installationsOn(target *v1alpha1.IntegrationTarget) {
	list, err := r.installations.OnTarget(types.NamespacedName{Namespace: target.Namespace, Name: target.Name})
	if err != nil {
		runtime.HandleError(err)
		return
	}
	for _, installation := range list {
		r.manager.probes.AddObject(installation)
	}
}

// selecting has those Integrations of a namespace reconciled that select
// targets by label.
func (r routes) selecting(namespace string) {
	list, err := r.integrations.Integrations(namespace).List(labels.Everything())
	if err != nil {
		runtime.HandleError(err)
		return
	}
	for _, integration := range list {
		if integration.Spec.TargetSelector != nil {
			r.manager.integrations.AddObject(integration)
		}
	}
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

// handler hands the objects of an informer on by their type, tombstones
// unwrapped.
type handler[T any] struct {
	added   func(*T)
	changed func(before, after *T)
	removed func(*T)
}

func (h handler[T]) OnAdd(obj any, _ bool) {
	if t, ok := obj.(*T); ok {
		h.added(t)
	}
}

func (h handler[T]) OnUpdate(before, after any) {
	b, ok := before.(*T)
	a, also := after.(*T)
	if ok && also {
		h.changed(b, a)
	}
}

func (h handler[T]) OnDelete(obj any) {
	if tombstone, gone := obj.(cache.DeletedFinalStateUnknown); gone {
		obj = tombstone.Obj
	}
	if t, ok := obj.(*T); ok {
		h.removed(t)
	}
}
