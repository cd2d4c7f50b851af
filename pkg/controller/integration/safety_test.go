// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

func isLeaving(i *v1alpha1.Installation) bool { return i.DeletionTimestamp != nil }

func everyOne(*v1alpha1.Installation) bool { return true }

func bySelector(i *v1alpha1.Integration) {
	i.Spec.TargetClusters = nil
	i.Spec.TargetSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"fleet": "yes"}}
}

func (w *world) label(target, value string) {
	w.t.Helper()
	labelled := readyTarget(target)
	labelled.Labels["fleet"] = value
	w.check(w.client.Tracker().Update(v1alpha1.SchemeGroupVersion.WithResource("integrationtargets"), labelled, "ns"))
}

// lose takes an IntegrationTarget away without the controllers being asked.
func (w *world) lose(target string) {
	w.t.Helper()
	w.check(w.client.Tracker().Delete(v1alpha1.SchemeGroupVersion.WithResource("integrationtargets"), "ns", target))
}

func TestWhatIsDropped(t *testing.T) {
	orphan := func(w *world) {
		w.change(func(i *v1alpha1.Integration) { i.Spec.AutoInstall.DeletionPolicy = v1alpha1.DeletionPolicyOrphan })
	}
	for name, tc := range map[string]struct {
		mutate  func(*v1alpha1.Integration)
		happens func(*world)
		leaving []string
	}{
		"a name that is dropped": {
			happens: func(w *world) { w.change(func(i *v1alpha1.Integration) { i.Spec.TargetClusters = []string{"a", "b"} }) },
			leaving: []string{"c"},
		},
		"a named target that is lost": {happens: func(w *world) { w.lose("c") }},
		"a name that is dropped, of a target that is lost": {
			happens: func(w *world) {
				w.lose("c")
				w.change(func(i *v1alpha1.Integration) { i.Spec.TargetClusters = []string{"a", "b"} })
			},
			leaving: []string{"c"},
		},
		"a label that is taken off": {mutate: bySelector, happens: func(w *world) { w.label("c", "no") }, leaving: []string{"c"}},
		"all labels are taken off": {mutate: bySelector, happens: func(w *world) {
			for _, target := range []string{"a", "b", "c"} {
				w.label(target, "no")
			}
		}},
		"a selected target that is deleted": {mutate: bySelector, happens: func(w *world) {
			going := readyTarget("c")
			going.DeletionTimestamp, going.Finalizers = &metav1.Time{Time: time.Now()}, []string{v1alpha1.FinalizerInUse}
			w.check(w.client.Tracker().Update(v1alpha1.SchemeGroupVersion.WithResource("integrationtargets"), going, "ns"))
		}, leaving: []string{"c"}},
		"a selected target that is lost": {mutate: bySelector, happens: func(w *world) { w.lose("c") }},
		"all targets are lost": {mutate: bySelector, happens: func(w *world) {
			for _, target := range []string{"a", "b", "c"} {
				w.lose(target)
			}
		}},
		"a selected target that is lost for good": {mutate: bySelector, happens: func(w *world) { w.lose("c"); orphan(w) }, leaving: []string{"c"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.mutate, "a", "b", "c")
			w.reconcile()
			w.expectTargets(w.names(everyOne), "a", "b", "c")
			tc.happens(w)
			w.reconcile()
			w.expectTargets(w.names(isLeaving), tc.leaving...)
		})
	}
}

func TestOrphanReachesWhatIsLeaving(t *testing.T) {
	w := newWorld(t, nil, "a", "b")
	w.reconcile()
	w.change(func(i *v1alpha1.Integration) { i.Spec.TargetClusters = []string{"a"}; version("2.0.0")(i) })
	w.reconcile()
	w.expectTargets(w.names(isLeaving), "b")
	w.change(func(i *v1alpha1.Integration) { i.Spec.AutoInstall.DeletionPolicy = v1alpha1.DeletionPolicyOrphan })
	w.reconcile()
	left := w.installation("b").Spec.AutoInstall
	if left.DeletionPolicy != v1alpha1.DeletionPolicyOrphan || left.HelmConfig.Version == "2.0.0" {
		t.Errorf("on its way out it has %+v", left)
	}
}

// release lets an Installation go, as its controller does when it is uninstalled.
func (w *world) release(target string) {
	w.t.Helper()
	w.check(w.client.Tracker().Delete(v1alpha1.SchemeGroupVersion.WithResource("installations"), "ns", "argocd."+target))
}

func TestDeletionWaitsForEveryInstallation(t *testing.T) {
	w := newWorld(t, nil, "a", "b")
	w.reconcile()
	going := func(i *v1alpha1.Integration) {
		i.DeletionTimestamp = &metav1.Time{Time: time.Now()}
		i.Spec.AutoInstall.DeletionPolicy = v1alpha1.DeletionPolicyOrphan
	}
	w.change(going)
	w.reconcile()
	w.expectTargets(w.names(isLeaving), "a", "b")
	if policy := w.installation("a").Spec.AutoInstall.DeletionPolicy; policy != v1alpha1.DeletionPolicyOrphan {
		t.Errorf("an Installation that leaves has deletionPolicy %s", policy)
	}
	w.expectStatus(v1alpha1.PhaseUninstalling, 0, "uninstalling from 2 targets")
	w.release("a")
	w.reconcile()

	// The cache shows none, the API one: the Integration must not go.
	w.sync()
	w.check(w.kinds.Installations().Informer().GetIndexer().Replace(nil, ""))
	after, err := w.controller.Reconcile(t.Context(), worldKey)
	if err != nil || after != leftOver {
		t.Fatalf("looks again after %s, error %v", after, err)
	}
	if finalizers := w.integration().Finalizers; len(finalizers) != 1 {
		t.Fatalf("an Integration with an Installation has finalizers %q", finalizers)
	}
	w.release("b")
	w.sync()
	if _, err := w.controller.Reconcile(t.Context(), worldKey); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.KsitV1alpha1().Integrations("ns").Get(t.Context(), "argocd", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the Integration is still there: error %v", err)
	}
}

func TestSameNameAgainProceedsWhenTheFormerIsGone(t *testing.T) {
	w := newWorld(t, oneByOne, "a", "b")
	former := integration()
	former.UID = "argocd-0"
	left := newInstallation(former, installationSpec(former, "a"))
	left.UID, left.DeletionTimestamp = "left", &metav1.Time{Time: time.Now()}
	w.add(left)
	w.sync()
	// The former one holds no slot: the other target goes on.
	for range 3 {
		w.sync()
		if _, err := w.controller.Reconcile(t.Context(), worldKey); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.installation("b").Spec.WaitsFor; got != "" {
		t.Errorf("b waits for %q", got)
	}
	if w.installation("a").UID != "left" {
		t.Fatal("the former Installation was replaced")
	}
	w.release("a")
	w.ends("b", v1alpha1.PhaseRunning)
	w.reconcile()
	made := w.installation("a")
	if !metav1.IsControlledBy(made, w.integration()) || made.Spec.WaitsFor != "" {
		t.Errorf("the new Installation: %+v", made)
	}
}

func TestACycleIsReported(t *testing.T) {
	w := newWorld(t, func(i *v1alpha1.Integration) { i.Spec.DependsOn = []v1alpha1.IntegrationDependency{{Name: "b"}} }, "a")
	other := integration()
	other.Name, other.Spec.DependsOn = "b", []v1alpha1.IntegrationDependency{{Name: "argocd"}}
	w.add(other)
	w.reconcile()
	w.expectStatus(v1alpha1.PhasePending, 1, "argocd → b → argocd: drop one of these dependencies")
	w.expectCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, "DependencyCycle")
	if got := w.installation("a").Spec.DependsOn; len(got) != 1 || got[0].Name != "b" {
		t.Errorf("the Installation depends on %v", got)
	}
}
