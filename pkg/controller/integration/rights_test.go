// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// fakeAccess lets users use targets: all of them, or those named user/target.
type fakeAccess struct {
	mu    sync.Mutex
	all   bool
	may   map[string]bool
	err   error
	asked int
}

func (f *fakeAccess) MayUse(_ context.Context, who *v1alpha1.Requester, target types.NamespacedName) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return f.err == nil && (f.all || f.may[who.Username+"/"+target.Name]), f.err
}

func foreignTarget(namespace, name string, admits ...string) *v1alpha1.IntegrationTarget {
	t := readyTarget(name)
	t.Namespace = namespace
	t.Spec.Tenancy = &v1alpha1.TargetTenancy{AllowedNamespaces: admits}
	return t
}

// replace stores a target anew.
func (w *world) replace(target *v1alpha1.IntegrationTarget) {
	w.t.Helper()
	w.check(w.client.Tracker().Update(v1alpha1.SchemeGroupVersion.WithResource("integrationtargets"), target, target.Namespace))
}

func (w *world) allowed() *metav1.Condition {
	return meta.FindStatusCondition(w.integration().Status.Conditions, v1alpha1.ConditionTargetsAllowed)
}

func (w *world) mustSay(status metav1.ConditionStatus, words ...string) {
	w.t.Helper()
	condition := w.allowed()
	if condition == nil || condition.Status != status {
		w.t.Fatalf("the condition is %v", condition)
	}
	for _, word := range words {
		if !strings.Contains(condition.Message, word) || !strings.Contains(w.integration().Status.Message, word) {
			w.t.Errorf("neither condition nor status says %q: %q, %q", word, condition.Message, w.integration().Status.Message)
		}
	}
}

func TestSelectedTargetsNeedTheRight(t *testing.T) {
	w := newWorld(t, bySelector, "a", "b", "c")
	w.access.all, w.access.may = false, map[string]bool{"anna/a": true, "anna/b": true}
	again := w.reconcile()
	if got := w.names(everyOne); !slices.Equal(got, []string{"a", "b"}) {
		t.Fatalf("installed on %v", got)
	}
	if again == 0 || again > refusedAgain {
		t.Errorf("asked again after %s", again)
	}
	w.mustSay(metav1.ConditionFalse, `c (user "anna" needs the verb use on integrationtargets "c" in namespace "ns")`)
	if event := <-w.events.Events; !strings.Contains(event, "Warning NotAllowed") {
		t.Errorf("event %s", event)
	}
	w.ends("a", v1alpha1.PhaseRunning)
	w.ends("b", v1alpha1.PhaseRunning)
	w.reconcile()
	if s := w.integration().Status; s.Phase != v1alpha1.PhasePending || s.Targets != 3 || s.Healthy != 2 {
		t.Errorf("%s, %d targets, %d healthy", s.Phase, s.Targets, s.Healthy)
	}

	// What it is on is not asked about, whatever becomes of the right.
	w.access.may = nil
	w.change(func(i *v1alpha1.Integration) { i.Spec.Config = map[string]string{"namespace": "x"} })
	w.reconcile()
	if got := w.names(isLeaving); len(got) != 0 {
		t.Errorf("uninstalls from %v", got)
	}
	// The right is given, and looked for at once with a new request.
	w.access.may = map[string]bool{"anna/c": true}
	w.change(func(i *v1alpha1.Integration) { i.Annotations = map[string]string{v1alpha1.AnnotationReconcile: "now"} })
	w.reconcile()
	if got := w.names(everyOne); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("installed on %v", got)
	}
	if w.allowed() != nil {
		t.Errorf("the condition stays: %v", w.allowed())
	}
}

func TestAnswersAreKeptForAWhile(t *testing.T) {
	w := newWorld(t, bySelector, "a", "b", "c")
	w.access.all = false
	w.reconcile()
	asked := w.access.asked
	if asked != 4 {
		t.Errorf("%d questions, want one for all and one for each", asked)
	}
	w.reconcile()
	if w.access.asked != asked {
		t.Error("the same was asked again at once")
	}
	many := newWorld(t, bySelector, slices.Sorted(maps.Keys(manyNames(100)))...)
	many.reconcile()
	if n := len(many.names(everyOne)); n != 100 || many.access.asked > 2 {
		t.Errorf("%d Installations after %d questions", n, many.access.asked)
	}
}

func manyNames(n int) map[string]bool {
	names := map[string]bool{}
	for i := range n {
		names[fmt.Sprintf("t%d", i)] = true
	}
	return names
}

func TestNoAnswerIsNoVerdict(t *testing.T) {
	w := newWorld(t, bySelector, "a", "b")
	w.access.err = errors.New("the host is away")
	if again := w.reconcile(); again == 0 || again > unansweredAgain {
		t.Errorf("asked again after %s", again)
	}
	if got := w.names(everyOne); len(got) != 0 {
		t.Errorf("installed on %v", got)
	}
	w.mustSay(metav1.ConditionUnknown, "did not say who may use a, b")
	w.access.err = nil
	w.reconcile()
	w.add(readyTarget("c"))
	w.access.err = errors.New("the host is away")
	w.reconcile()
	if got := w.names(everyOne); !slices.Equal(got, []string{"a", "b"}) || len(w.names(isLeaving)) != 0 {
		t.Errorf("installed on %v, leaves %v", got, w.names(isLeaving))
	}
}

func TestNobodyAsks(t *testing.T) {
	w := newWorld(t, func(i *v1alpha1.Integration) { bySelector(i); i.Status.TargetsRequestedBy = nil }, "a")
	w.change(func(i *v1alpha1.Integration) { i.Status.TargetsRequestedBy = nil })
	w.reconcile()
	if got := w.names(everyOne); len(got) != 0 || w.access.asked != 0 {
		t.Errorf("installed on %v", got)
	}
	w.mustSay(metav1.ConditionFalse, "it is not known who asks for it")
}

func TestNamedTargetsAreNotAskedAbout(t *testing.T) {
	w := newWorld(t, nil, "a", "b")
	w.access.all = false
	w.reconcile()
	if got := w.names(everyOne); !slices.Equal(got, []string{"a", "b"}) || w.access.asked != 0 {
		t.Errorf("installed on %v after %d questions", got, w.access.asked)
	}
}

func TestTargetsOfOtherNamespaces(t *testing.T) {
	w := newWorld(t, nil, "a")
	w.add(foreignTarget("platform", "a", "ns"))
	w.add(foreignTarget("platform", "b", "other"))
	w.change(func(i *v1alpha1.Integration) {
		i.Spec.TargetClusters = []string{"a", "platform/a", "platform/b", "platform/c"}
	})
	w.reconcile()
	if got := w.names(everyOne); !slices.Equal(got, []string{"a", "platform/a"}) {
		t.Fatalf("installed on %v", got)
	}
	i := w.installation("platform/a")
	if i.Name != "argocd.platform.a" || i.Namespace != "ns" || i.Spec.Target != "a" || i.Spec.TargetNamespace != "platform" ||
		i.Labels[v1alpha1.LabelTargetNamespace] != "platform" || i.TargetKey() != (types.NamespacedName{Namespace: "platform", Name: "a"}) {
		t.Errorf("the Installation is %s/%s for %+v, labels %v", i.Namespace, i.Name, i.Spec, i.Labels)
	}
	w.mustSay(metav1.ConditionFalse, "platform/b (there is no IntegrationTarget platform/b whose", "platform/c (there is no IntegrationTarget platform/c whose")

	w.replace(foreignTarget("platform", "b", "*"))
	w.change(func(i *v1alpha1.Integration) { i.Spec.TargetClusters = []string{"a", "platform/a", "platform/b"} })
	w.reconcile()
	for _, target := range []string{"a", "platform/a", "platform/b"} {
		w.ends(target, v1alpha1.PhaseRunning)
	}
	w.reconcile()
	s := w.integration().Status
	if s.Phase != v1alpha1.PhaseRunning || s.Healthy != 3 || w.allowed() != nil {
		t.Errorf("%s, %d healthy, %v", s.Phase, s.Healthy, w.allowed())
	}
	var shown []string
	for _, summary := range s.TargetSummaries {
		shown = append(shown, summary.Target)
	}
	if want := []string{"a", "platform/a", "platform/b"}; !slices.Equal(shown, want) {
		t.Errorf("shows %v, want %v", shown, want)
	}

	// A right that is taken away is no order to uninstall.
	w.replace(foreignTarget("platform", "b"))
	w.reconcile()
	if got := w.names(isLeaving); len(got) != 0 {
		t.Errorf("uninstalls from %v", got)
	}
	w.mustSay(metav1.ConditionFalse, "no longer admitted by platform/b: what is installed there stays")
	if s := w.integration().Status; s.Targets != 3 || s.Healthy != 3 {
		t.Errorf("%d targets, %d healthy", s.Targets, s.Healthy)
	}
	// To drop it is one.
	w.change(func(i *v1alpha1.Integration) { i.Spec.TargetClusters = []string{"a", "platform/a"} })
	w.reconcile()
	if got := w.names(isLeaving); !slices.Equal(got, []string{"platform/b"}) || w.allowed() != nil {
		t.Errorf("uninstalls from %v, %v", got, w.allowed())
	}
}

func TestRolloutOverNamespaces(t *testing.T) {
	w := newWorld(t, func(i *v1alpha1.Integration) {
		i.Spec.TargetClusters = []string{"a", "platform/a"}
		i.Spec.Rollout = &v1alpha1.Rollout{Partitions: []v1alpha1.RolloutPartition{
			{Name: "first", TargetSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"first": "yes"}}}}}
	})
	w.add(readyTarget("a"))
	shared := foreignTarget("platform", "a", "ns")
	shared.Labels["first"] = "yes"
	w.add(shared)
	w.reconcile()
	if own, other := w.installation("a"), w.installation("platform/a"); own.Spec.WaitsFor == "" || other.Spec.WaitsFor != "" {
		t.Errorf("a waits for %q, platform/a for %q", own.Spec.WaitsFor, other.Spec.WaitsFor)
	}
	w.ends("platform/a", v1alpha1.PhaseRunning)
	w.reconcile()
	if own := w.installation("a"); own.Spec.WaitsFor != "" {
		t.Errorf("a waits for %q", own.Spec.WaitsFor)
	}
}
