// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ktesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/index"
	"ksit.io/ksit/pkg/generated/clientset/versioned/fake"
	"ksit.io/ksit/pkg/generated/informers/externalversions"
	informers "ksit.io/ksit/pkg/generated/informers/externalversions/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// world is an API in memory with the controller over it. Its caches are filled
// when a test says so. Generations and finalizers count as in a real API.
type world struct {
	t          *testing.T
	client     *fake.Clientset
	kinds      informers.Interface
	controller *Controller
	events     *events.FakeRecorder
	sources    *fakeSources
	access     *fakeAccess
	// made counts the objects that were created.
	made int
}

var worldKey = types.NamespacedName{Namespace: "ns", Name: "argocd"}

// fakeSources are read by the digest of their text; the method fails where err
// is set.
type fakeSources struct {
	text  string
	err   error
	reads int
}

func (f *fakeSources) Read(context.Context, string, *v1alpha1.AutoInstall) (installer.Sources, error) {
	f.reads++
	return installer.Sources{Values: []installer.Values{{Content: []byte(f.text)}}}, f.err
}

func newWorld(t *testing.T, mutate func(*v1alpha1.Integration), targets ...string) *world {
	t.Helper()
	w := &world{t: t, client: fake.NewClientset(), events: events.NewFakeRecorder(10000), sources: &fakeSources{}, access: &fakeAccess{all: true}}
	w.client.PrependReactor("*", "*", w.react)
	w.kinds = externalversions.NewSharedInformerFactory(w.client, 0).Ksit().V1alpha1()
	installations, err := index.NewInstallations(w.kinds.Installations().Informer())
	if err != nil {
		t.Fatal(err)
	}
	w.controller = &Controller{
		Client: w.client.KsitV1alpha1(), Integrations: w.kinds.Integrations().Lister(), Targets: w.kinds.IntegrationTargets().Lister(),
		Installations: installations, Sources: w.sources, Access: w.access, Events: w.events,
	}
	i := integration()
	i.UID, i.Generation = "argocd-1", 1
	i.Status.TargetsRequestedBy = &v1alpha1.Requester{Username: "anna"}
	i.Spec.TargetClusters = targets
	if mutate != nil {
		mutate(i)
	}
	w.add(i)
	for _, name := range targets {
		w.add(readyTarget(name))
	}
	return w
}

func readyTarget(name string) *v1alpha1.IntegrationTarget {
	return &v1alpha1.IntegrationTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, Labels: map[string]string{"fleet": "yes", "name": name}},
		Status:     v1alpha1.IntegrationTargetStatus{Ready: true},
	}
}

func (w *world) add(object runtime.Object) {
	w.t.Helper()
	if err := w.client.Tracker().Add(object); err != nil {
		w.t.Fatal(err)
	}
}

// react lets generations and deletion be as the registry makes them.
func (w *world) react(action ktesting.Action) (bool, runtime.Object, error) {
	if action.GetResource().Resource == "integrationtargets" || action.GetSubresource() != "" {
		return false, nil, nil
	}
	switch a := action.(type) {
	case ktesting.CreateActionImpl:
		made := a.GetObject().(metav1.Object)
		w.made++
		made.SetUID(types.UID(fmt.Sprintf("%s-%d", made.GetName(), w.made)))
		made.SetGeneration(1)
	case ktesting.UpdateActionImpl:
		changed := a.GetObject().(metav1.Object)
		if changed.GetDeletionTimestamp() != nil && len(changed.GetFinalizers()) == 0 {
			return true, a.GetObject(), w.client.Tracker().Delete(a.GetResource(), a.GetNamespace(), changed.GetName())
		}
		if installation, ok := a.GetObject().(*v1alpha1.Installation); ok {
			if !equality.Semantic.DeepEqual(w.installation(installation.TargetName()).Spec, installation.Spec) {
				installation.Generation++
			}
		}
	case ktesting.DeleteActionImpl:
		object, err := w.client.Tracker().Get(a.GetResource(), a.GetNamespace(), a.GetName())
		if err != nil {
			return true, nil, err
		}
		object = object.DeepCopyObject()
		if leaving := object.(metav1.Object); len(leaving.GetFinalizers()) > 0 {
			leaving.SetDeletionTimestamp(&metav1.Time{Time: time.Now()})
			return true, object, w.client.Tracker().Update(a.GetResource(), object, a.GetNamespace())
		}
	}
	return false, nil, nil
}

// sync brings the caches up to date.
func (w *world) sync() {
	w.t.Helper()
	api := w.client.KsitV1alpha1()
	integrations, err := api.Integrations("ns").List(w.t.Context(), metav1.ListOptions{})
	w.check(err)
	targets, err := api.IntegrationTargets("").List(w.t.Context(), metav1.ListOptions{})
	w.check(err)
	installations, err := api.Installations("ns").List(w.t.Context(), metav1.ListOptions{})
	w.check(err)
	w.check(w.kinds.Integrations().Informer().GetIndexer().Replace(pointers(integrations.Items), ""))
	w.check(w.kinds.IntegrationTargets().Informer().GetIndexer().Replace(pointers(targets.Items), ""))
	w.check(w.kinds.Installations().Informer().GetIndexer().Replace(pointers(installations.Items), ""))
}

func pointers[T any](items []T) []any {
	all := make([]any, len(items))
	for i := range items {
		all[i] = &items[i]
	}
	return all
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// reconcile syncs, reconciles until nothing is written any more, and returns
// when the controller wants to be called again.
func (w *world) reconcile() time.Duration {
	w.t.Helper()
	for range 10 {
		w.sync()
		w.client.ClearActions()
		after, err := w.controller.Reconcile(w.t.Context(), worldKey)
		w.check(err)
		if w.writes() == 0 {
			return after
		}
	}
	w.t.Fatalf("the controller goes on writing: %v", w.client.Actions())
	return 0
}

func (w *world) writes() int {
	n := 0
	for _, action := range w.client.Actions() {
		if verb := action.GetVerb(); verb != "get" && verb != "list" && verb != "watch" {
			n++
		}
	}
	return n
}

func (w *world) integration() *v1alpha1.Integration {
	w.t.Helper()
	i, err := w.client.KsitV1alpha1().Integrations("ns").Get(w.t.Context(), "argocd", metav1.GetOptions{})
	w.check(err)
	return i
}

// change changes the spec of the Integration, or its metadata.
func (w *world) change(mutate func(*v1alpha1.Integration)) {
	w.t.Helper()
	i := w.integration()
	before := i.Spec.DeepCopy()
	mutate(i)
	if !equality.Semantic.DeepEqual(*before, i.Spec) {
		i.Generation++
	}
	w.check(w.client.Tracker().Update(v1alpha1.SchemeGroupVersion.WithResource("integrations"), i, "ns"))
}

func (w *world) installation(target string) *v1alpha1.Installation {
	w.t.Helper()
	object, err := w.client.Tracker().Get(v1alpha1.SchemeGroupVersion.WithResource("installations"), "ns", v1alpha1.InstallationName("argocd", "ns", v1alpha1.ParseTarget("ns", target)))
	w.check(err)
	return object.DeepCopyObject().(*v1alpha1.Installation)
}

// names returns the targets that have an Installation.
func (w *world) names(which func(*v1alpha1.Installation) bool) []string {
	w.t.Helper()
	list, err := w.client.KsitV1alpha1().Installations("ns").List(w.t.Context(), metav1.ListOptions{})
	w.check(err)
	var names []string
	for i := range list.Items {
		if which(&list.Items[i]) {
			names = append(names, list.Items[i].TargetName())
		}
	}
	slices.Sort(names)
	return names
}

// ends has the work on a target end as the controller of Installations would
// report it.
func (w *world) ends(target string, phase v1alpha1.Phase) {
	w.t.Helper()
	i := w.installation(target)
	i.Status.ObservedGeneration, i.Status.LastReconcileRequest = i.Generation, i.Spec.ReconcileRequest
	i.Status.Phase, i.Status.Message = phase, string(phase)
	i.Status.AppliedDigest = "sha256:0"
	running := metav1.ConditionFalse
	if phase == v1alpha1.PhaseRunning {
		running = metav1.ConditionTrue
	}
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionInstalled} {
		meta.SetStatusCondition(&i.Status.Conditions, metav1.Condition{Type: kind, Status: running, Reason: string(phase)})
	}
	w.check(w.client.Tracker().Update(v1alpha1.SchemeGroupVersion.WithResource("installations"), i, "ns"))
}
