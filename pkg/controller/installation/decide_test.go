// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

var testNow = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// upToDate is an Installation that runs as its spec says, on a target that is
// ready, with nothing to do but to probe.
func upToDate(mutate ...func(*observed)) observed {
	o := observed{
		installation: &v1alpha1.Installation{
			ObjectMeta: metav1.ObjectMeta{
				Name: "argocd.one", Namespace: "ns", Generation: 2,
				Finalizers: []string{v1alpha1.FinalizerUninstall},
			},
			Spec: v1alpha1.InstallationSpec{
				Integration: "argocd", Target: "one", Type: v1alpha1.IntegrationTypeArgoCD, Enabled: true,
				AutoInstall: &v1alpha1.AutoInstall{Enabled: true, Method: v1alpha1.InstallMethodHelm},
			},
			Status: v1alpha1.InstallationStatus{
				ObservedGeneration: 2,
				Phase:              v1alpha1.PhaseRunning,
				AppliedDigest:      "sha256:same",
				Releases:           []v1alpha1.ReleaseStatus{{Name: "argocd", Namespace: "argocd", Version: "1.0.0"}},
				Conditions:         []metav1.Condition{{Type: v1alpha1.ConditionInstalled, Status: metav1.ConditionTrue}},
			},
		},
		target: &v1alpha1.IntegrationTarget{
			ObjectMeta: metav1.ObjectMeta{Name: "one", Namespace: "ns"},
			Status:     v1alpha1.IntegrationTargetStatus{Ready: true},
		},
		connected: true,
		digest:    "sha256:same",
		now:       testNow,
	}
	for _, m := range mutate {
		m(&o)
	}
	return o
}

func fresh(o *observed) { o.installation.Status = v1alpha1.InstallationStatus{} }

func deleted(o *observed) {
	o.installation.DeletionTimestamp = &metav1.Time{Time: testNow}
	o.installation.Generation++
}

func TestDecide(t *testing.T) {
	notReady := func(o *observed) {
		o.target.Status.Ready = false
		o.target.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Message: "no route to it"}}
	}
	disconnected := func(o *observed) { o.connected = false }
	failed := func(o *observed) {
		o.installation.Status.AppliedDigest = ""
		o.installation.Status.Failures = 2
		o.installation.Status.NextRetryTime = &metav1.Time{Time: testNow.Add(time.Minute)}
	}
	orphan := func(o *observed) { o.installation.Spec.AutoInstall.DeletionPolicy = v1alpha1.DeletionPolicyOrphan }
	targetMissing := func(o *observed) { o.target, o.connected = nil, false }

	for name, tc := range map[string]struct {
		observed observed
		want     step
		phase    v1alpha1.Phase
		reason   string
		message  string
	}{
		"up to date":    {observed: upToDate(), want: stepProbe},
		"new":           {observed: upToDate(fresh), want: stepInstall},
		"other digest":  {observed: upToDate(func(o *observed) { o.digest = "sha256:other" }), want: stepInstall},
		"cut short":     {observed: upToDate(func(o *observed) { o.installation.Status.Conditions = nil }), want: stepInstall},
		"asked to":      {observed: upToDate(func(o *observed) { o.installation.Spec.ReconcileRequest = "now" }), want: stepInstall},
		"disabled":      {observed: upToDate(func(o *observed) { o.installation.Spec.Enabled = false }), want: stepDisable},
		"only probed":   {observed: upToDate(fresh, func(o *observed) { o.installation.Spec.AutoInstall = nil }), want: stepProbe},
		"only policies": {observed: upToDate(func(o *observed) { o.installation.Generation++ }), want: stepProbe},

		"target missing, new": {observed: upToDate(fresh, targetMissing), want: stepWait,
			phase: v1alpha1.PhasePending, reason: "TargetMissing", message: "create it, or drop it"},
		"target missing, installed": {observed: upToDate(targetMissing), want: stepWait, phase: v1alpha1.PhaseUnknown, reason: "TargetMissing"},
		"target not ready, new": {observed: upToDate(fresh, notReady), want: stepWait,
			phase: v1alpha1.PhasePending, reason: "TargetNotReady", message: "no route to it"},
		"target not ready, installed": {observed: upToDate(notReady), want: stepWait, phase: v1alpha1.PhaseUnknown, reason: "TargetNotReady"},
		"target suspended": {observed: upToDate(func(o *observed) { o.target.Spec.Suspend = true }), want: stepWait,
			phase: v1alpha1.PhaseRunning, reason: "TargetSuspended"},
		"target goes, up to date": {observed: upToDate(func(o *observed) { o.target.DeletionTimestamp = &metav1.Time{Time: testNow} }), want: stepProbe},
		"target goes, new": {observed: upToDate(fresh, func(o *observed) { o.target.DeletionTimestamp = &metav1.Time{Time: testNow} }), want: stepWait,
			phase: v1alpha1.PhasePending, reason: "TargetDeleting"},
		"not connected yet": {observed: upToDate(disconnected), want: stepRetryLater},

		"failed lately":       {observed: upToDate(failed), want: stepRetryLater},
		"failed, time is up":  {observed: upToDate(failed, func(o *observed) { o.now = testNow.Add(2 * time.Minute) }), want: stepInstall},
		"failed, new spec":    {observed: upToDate(failed, func(o *observed) { o.installation.Generation++ }), want: stepInstall},
		"failed, asked to":    {observed: upToDate(failed, func(o *observed) { o.installation.Spec.ReconcileRequest = "x" }), want: stepInstall},
		"failed, then leaves": {observed: upToDate(failed, deleted), want: stepUninstall},

		"leaves":                  {observed: upToDate(deleted), want: stepUninstall},
		"leaves, nothing done":    {observed: upToDate(deleted, fresh), want: stepRelease},
		"leaves, orphaned":        {observed: upToDate(deleted, orphan), want: stepRelease, reason: "Orphaned"},
		"leaves, was disabled":    {observed: upToDate(deleted, func(o *observed) { o.installation.Spec.Enabled = false }), want: stepUninstall},
		"leaves, finalizer gone":  {observed: upToDate(deleted, func(o *observed) { o.installation.Finalizers = nil }), want: stepNone},
		"leaves, connecting":      {observed: upToDate(deleted, disconnected), want: stepRetryLater},
		"leaves, target not told": {observed: upToDate(deleted, notReady), want: stepUninstall},
		"leaves, target missing": {observed: upToDate(deleted, targetMissing), want: stepWait,
			phase: v1alpha1.PhaseUninstalling, reason: "TargetMissing", message: "deletionPolicy"},
		"leaves, target lost": {observed: upToDate(deleted, notReady, disconnected), want: stepWait,
			phase: v1alpha1.PhaseUninstalling, reason: "TargetNotReady", message: "deletionPolicy"},
		"leaves, target lost, orphaned":        {observed: upToDate(deleted, notReady, disconnected, orphan), want: stepRelease},
		"leaves with its namespace":            {observed: upToDate(deleted, func(o *observed) { o.namespaceGoes = true }), want: stepUninstall},
		"leaves with its namespace, lost":      {observed: upToDate(deleted, notReady, disconnected, func(o *observed) { o.namespaceGoes = true }), want: stepRelease, reason: "Orphaned"},
		"leaves while its target is suspended": {observed: upToDate(deleted, func(o *observed) { o.target.Spec.Suspend = true }), want: stepWait, phase: v1alpha1.PhaseUninstalling},
		"uninstall failed lately": {observed: upToDate(deleted, failed, func(o *observed) {
			o.installation.Status.ObservedGeneration = o.installation.Generation
		}), want: stepRetryLater},
	} {
		t.Run(name, func(t *testing.T) {
			got := decide(tc.observed)
			if got.step != tc.want {
				t.Fatalf("decided %+v, want %s", got, tc.want)
			}
			if got.phase != tc.phase || (tc.reason != "" && got.reason != tc.reason) || !strings.Contains(got.message, tc.message) {
				t.Errorf("decided %+v, want phase %q, reason %q and a message with %q", got, tc.phase, tc.reason, tc.message)
			}
			if got.step == stepRetryLater && got.after <= 0 {
				t.Errorf("decided %+v, want to come back", got)
			}
		})
	}
}

func TestRetryAfterGrowsAndIsBounded(t *testing.T) {
	for range 100 {
		var before time.Duration
		for failures := int32(1); failures < 50; failures++ {
			got := retryAfter(failures, false)
			if got > retryMax || got < retryMin*8/10 {
				t.Fatalf("retryAfter(%d) = %s, out of bounds", failures, got)
			}
			if got < before && before < retryMax*8/10 {
				t.Fatalf("retryAfter(%d) = %s, less than %s before", failures, got, before)
			}
			before = got
		}
	}
	if got := retryAfter(1, true); got < retryMax*8/10 {
		t.Errorf("a terminal failure is tried again after %s, want about %s", got, retryMax)
	}
}

func TestDigestCoversWhatDecides(t *testing.T) {
	base := func() v1alpha1.Installation { return *upToDate().installation.DeepCopy() }
	digest := func(mutate func(*v1alpha1.Installation)) string {
		i := base()
		i.Spec.AutoInstall.HelmConfig = &v1alpha1.HelmConfig{Chart: "c", Version: "1"}
		i.Spec.AutoInstall.HelmConfig.ValuesObject = raw(`{"a":1,"b":{"c":2,"d":3}}`)
		mutate(&i)
		_, d, err := request(t.Context(), &i, nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	same := digest(func(*v1alpha1.Installation) {})
	for name, mutate := range map[string]func(*v1alpha1.Installation){
		"timeout":         func(i *v1alpha1.Installation) { i.Spec.AutoInstall.TimeoutSeconds = new(int32(77)) },
		"deletion policy": func(i *v1alpha1.Installation) { i.Spec.AutoInstall.DeletionPolicy = v1alpha1.DeletionPolicyOrphan },
		"order of keys": func(i *v1alpha1.Installation) {
			i.Spec.AutoInstall.HelmConfig.ValuesObject = raw(`{ "b":{"d":3,"c":2}, "a":1}`)
		},
	} {
		if digest(mutate) != same {
			t.Errorf("%s changes the digest, and would touch the target for nothing", name)
		}
	}
	for name, mutate := range map[string]func(*v1alpha1.Installation){
		"chart":         func(i *v1alpha1.Installation) { i.Spec.AutoInstall.HelmConfig.Chart = "d" },
		"version":       func(i *v1alpha1.Installation) { i.Spec.AutoInstall.HelmConfig.Version = "2" },
		"values":        func(i *v1alpha1.Installation) { i.Spec.AutoInstall.HelmConfig.Values = map[string]string{"a": "b"} },
		"values object": func(i *v1alpha1.Installation) { i.Spec.AutoInstall.HelmConfig.ValuesObject = raw(`{"a":2}`) },
		"namespace":     func(i *v1alpha1.Installation) { i.Spec.Config = map[string]string{"namespace": "other"} },
		"CRD policy":    func(i *v1alpha1.Installation) { i.Spec.AutoInstall.CRDPolicy = v1alpha1.CRDPolicySkip },
	} {
		if digest(mutate) == same {
			t.Errorf("%s does not change the digest, and would never reach the target", name)
		}
	}
}
