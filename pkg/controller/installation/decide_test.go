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
		connected:  true,
		digest:     "sha256:same",
		mayCorrect: true,
		now:        testNow,
	}
	for _, m := range mutate {
		m(&o)
	}
	if o.attempt == "" {
		o.attempt = o.digest
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
		o.installation.Status.AttemptedDigest = "sha256:same"
		o.installation.Status.Releases = nil
		o.installation.Status.LastOperation = &v1alpha1.Operation{Type: v1alpha1.OperationInstall, Outcome: v1alpha1.OperationFailed}
		o.installation.Status.Failures, o.installation.Status.Retries = 2, 2
		o.installation.Status.NextRetryTime = &metav1.Time{Time: testNow.Add(time.Minute)}
	}
	orphan := func(o *observed) { o.installation.Spec.AutoInstall.DeletionPolicy = v1alpha1.DeletionPolicyOrphan }
	targetMissing := func(o *observed) { o.target, o.connected = nil, false }
	later := func(o *observed) { o.now = testNow.Add(2 * time.Minute) }
	notAdmitted := func(o *observed) { o.installation.Spec.TargetNamespace, o.target.Namespace = "platform", "platform" }
	depends := func(o *observed) { o.dependency = "waits for base" }
	outdated := func(o *observed) { o.digest = "sha256:other" }
	// failedUpgrade has the upgrade from same to other failed so many times.
	failedUpgrade := func(times int32) func(*observed) {
		return func(o *observed) {
			st := &o.installation.Status
			st.AttemptedDigest, st.Failures, st.Retries = "sha256:other", times, times
			st.NextRetryTime = &metav1.Time{Time: testNow.Add(time.Minute)}
			st.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionInstalled, Status: metav1.ConditionFalse}}
		}
	}
	rolledBack := func(o *observed) {
		setCondition(o.installation, v1alpha1.ConditionRemediated, metav1.ConditionTrue, reasonRolledBack, "")
	}
	allow := func(retries int32) func(*observed) {
		return func(o *observed) {
			o.installation.Spec.AutoInstall.Remediation = &v1alpha1.Remediation{Retries: &retries}
		}
	}
	leave := func(o *observed) {
		o.installation.Spec.AutoInstall.Remediation = &v1alpha1.Remediation{Strategy: v1alpha1.RemediationLeave}
	}
	askRollback := func(o *observed) {
		o.installation.Spec.Operation = &v1alpha1.OperationRequest{ID: "r1", Type: v1alpha1.OperationRollback, Revision: 3, RequestedBy: "alice"}
	}
	askReconcile := func(o *observed) {
		o.installation.Spec.Operation = &v1alpha1.OperationRequest{ID: "c1", Type: v1alpha1.OperationReconcile, RequestedBy: "alice"}
	}
	done := func(o *observed) { o.installation.Status.LastRequest = o.installation.Spec.Operation.ID }
	// takenBack has other rolled back from by hand.
	takenBack := func(o *observed) {
		outdated(o)
		o.installation.Status.AppliedDigest = "sha256:revision"
		o.installation.Status.Hold = &v1alpha1.Hold{Digest: "sha256:other", Revision: 3, RequestedBy: "alice"}
	}
	drifted := func(mode v1alpha1.DriftMode) func(*observed) {
		return func(o *observed) {
			o.installation.Spec.AutoInstall.Drift = &v1alpha1.Drift{Mode: mode}
			setCondition(o.installation, v1alpha1.ConditionDrifted, metav1.ConditionTrue, reasonDrifted, "")
		}
	}

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

		"not admitted, installed": {observed: upToDate(notAdmitted), want: stepWait,
			phase: v1alpha1.PhaseRunning, reason: "NotAllowed", message: "IntegrationTarget platform/one does not admit namespace ns"},
		"not admitted, new":            {observed: upToDate(fresh, notAdmitted), want: stepWait, phase: v1alpha1.PhasePending, reason: "NotAllowed"},
		"not admitted, to be upgraded": {observed: upToDate(outdated, notAdmitted), want: stepWait, phase: v1alpha1.PhaseRunning, reason: "NotAllowed"},
		"not admitted, drifted":        {observed: upToDate(drifted(v1alpha1.DriftCorrect), notAdmitted), want: stepWait, phase: v1alpha1.PhaseRunning, reason: "NotAllowed"},
		"not admitted, asked to": {observed: upToDate(notAdmitted, func(o *observed) { o.installation.Spec.ReconcileRequest = "x" }), want: stepWait,
			phase: v1alpha1.PhaseRunning, reason: "NotAllowed"},
		"not admitted, not ready":        {observed: upToDate(notAdmitted, notReady), want: stepWait, phase: v1alpha1.PhaseRunning, reason: "NotAllowed"},
		"not admitted, disabled":         {observed: upToDate(notAdmitted, func(o *observed) { o.installation.Spec.Enabled = false }), want: stepDisable},
		"not admitted, leaves":           {observed: upToDate(deleted, notAdmitted), want: stepUninstall},
		"not admitted, leaves, orphaned": {observed: upToDate(deleted, orphan, notAdmitted), want: stepDisown},
		"admitted by name": {observed: upToDate(notAdmitted, func(o *observed) {
			o.target.Spec.Tenancy = &v1alpha1.TargetTenancy{AllowedNamespaces: []string{"other", "ns"}}
		}), want: stepProbe},
		"admitted as all are": {observed: upToDate(fresh, notAdmitted, func(o *observed) {
			o.target.Spec.Tenancy = &v1alpha1.TargetTenancy{AllowedNamespaces: []string{"*"}}
		}), want: stepInstall},

		"waits for its turn, new": {observed: upToDate(fresh, func(o *observed) { o.installation.Spec.WaitsFor = "its turn" }), want: stepWait,
			phase: v1alpha1.PhasePending, reason: "WaitsForTurn", message: "its turn"},
		"waits for its turn, runs what came before": {observed: upToDate(func(o *observed) { o.installation.Spec.WaitsFor = "its turn" }), want: stepProbe},
		"depends, new": {observed: upToDate(fresh, depends), want: stepWait,
			phase: v1alpha1.PhasePending, reason: "DependencyNotReady", message: "waits for base"},
		"depends, to be upgraded": {observed: upToDate(depends, outdated), want: stepProbe, reason: "DependencyNotReady", message: "waits for base"},
		"depends, up to date":     {observed: upToDate(depends), want: stepProbe},

		"drifted, to be reported":     {observed: upToDate(drifted(v1alpha1.DriftWarn)), want: stepProbe},
		"drifted, to be corrected":    {observed: upToDate(drifted(v1alpha1.DriftCorrect)), want: stepCorrect},
		"drifted, corrected just now": {observed: upToDate(drifted(v1alpha1.DriftCorrect), func(o *observed) { o.mayCorrect = false }), want: stepProbe},
		"drifted, and to be upgraded": {observed: upToDate(drifted(v1alpha1.DriftCorrect), outdated), want: stepInstall},

		"upgrade failed, backs off":    {observed: upToDate(outdated, failedUpgrade(2)), want: stepProbe},
		"upgrade failed, time is up":   {observed: upToDate(outdated, failedUpgrade(2), later), want: stepInstall},
		"last retry":                   {observed: upToDate(outdated, failedUpgrade(5), later), want: stepInstall},
		"retries spent":                {observed: upToDate(outdated, failedUpgrade(6), later), want: stepRollback},
		"retries spent, asked to":      {observed: upToDate(outdated, failedUpgrade(6), func(o *observed) { o.installation.Spec.ReconcileRequest = "x" }), want: stepInstall},
		"retries spent, new spec":      {observed: upToDate(failedUpgrade(6), func(o *observed) { o.digest = "sha256:third" }), want: stepInstall},
		"retries spent, more allowed":  {observed: upToDate(outdated, failedUpgrade(6), later, allow(9)), want: stepInstall},
		"retries spent, to be left":    {observed: upToDate(outdated, failedUpgrade(6), later, leave), want: stepProbe},
		"rolled back":                  {observed: upToDate(outdated, failedUpgrade(6), later, rolledBack), want: stepProbe},
		"rollback failed, backs off":   {observed: upToDate(outdated, failedUpgrade(7)), want: stepProbe},
		"rollback failed, time is up":  {observed: upToDate(outdated, failedUpgrade(7), later), want: stepRollback},
		"rollback failed for good":     {observed: upToDate(outdated, failedUpgrade(10), later), want: stepProbe},
		"no retries":                   {observed: upToDate(outdated, failedUpgrade(1), later, allow(0)), want: stepRollback},
		"first install, retries spent": {observed: upToDate(failed, later, func(o *observed) { o.installation.Status.Retries = 6 }), want: stepNone},

		"rollback asked for":                   {observed: upToDate(askRollback), want: stepBringBack},
		"rollback asked for, carried out":      {observed: upToDate(askRollback, done), want: stepProbe},
		"rollback asked for in mid-upgrade":    {observed: upToDate(outdated, askRollback), want: stepBringBack},
		"rollback asked for while it waits":    {observed: upToDate(outdated, depends, askRollback), want: stepBringBack},
		"rollback asked for, retries spent":    {observed: upToDate(outdated, failedUpgrade(6), later, askRollback), want: stepBringBack},
		"rollback asked for, stalled":          {observed: upToDate(outdated, failedUpgrade(6), later, rolledBack, askRollback), want: stepBringBack},
		"rollback asked for, held already":     {observed: upToDate(takenBack, askRollback), want: stepBringBack},
		"rollback asked for, target lost":      {observed: upToDate(notReady, disconnected, askRollback), want: stepWait, phase: v1alpha1.PhaseUnknown, reason: reasonTargetNotReady, message: "the rollback to revision 3 that alice asked for waits"},
		"rollback asked for, suspended":        {observed: upToDate(askRollback, func(o *observed) { o.target.Spec.Suspend = true }), want: stepWait, phase: v1alpha1.PhaseRunning, message: "that alice asked for waits"},
		"rollback asked for, disabled":         {observed: upToDate(askRollback, func(o *observed) { o.installation.Spec.Enabled = false }), want: stepDisable},
		"rollback asked for, only probed":      {observed: upToDate(askRollback, func(o *observed) { o.installation.Spec.AutoInstall = nil }), want: stepProbe},
		"rollback asked for, leaves":           {observed: upToDate(askRollback, deleted), want: stepUninstall},
		"rollback asked for, target goes":      {observed: upToDate(askRollback, func(o *observed) { o.target.DeletionTimestamp = &metav1.Time{Time: testNow} }), want: stepBringBack},
		"reconcile asked for":                  {observed: upToDate(askReconcile), want: stepInstall},
		"reconcile asked for, carried out":     {observed: upToDate(askReconcile, done), want: stepProbe},
		"reconcile asked for, retries spent":   {observed: upToDate(outdated, failedUpgrade(6), askReconcile), want: stepInstall},
		"reconcile asked for, depends":         {observed: upToDate(outdated, depends, askReconcile), want: stepProbe, reason: "DependencyNotReady"},
		"reconcile asked for, leaves":          {observed: upToDate(askReconcile, deleted), want: stepUninstall},
		"taken back":                           {observed: upToDate(takenBack), want: stepProbe},
		"taken back, drifted":                  {observed: upToDate(takenBack, drifted(v1alpha1.DriftCorrect)), want: stepCorrect},
		"taken back, new spec":                 {observed: upToDate(takenBack, func(o *observed) { o.digest, o.attempt = "sha256:third", "" }), want: stepInstall},
		"taken back, new spec, depends":        {observed: upToDate(takenBack, depends, func(o *observed) { o.digest = "sha256:third" }), want: stepProbe, reason: "DependencyNotReady"},
		"taken back, reconcile asked for":      {observed: upToDate(takenBack, askReconcile), want: stepInstall},
		"taken back, reconcile annotated":      {observed: upToDate(takenBack, func(o *observed) { o.installation.Spec.ReconcileRequest = "now" }), want: stepInstall},
		"taken back, other timeout":            {observed: upToDate(takenBack, func(o *observed) { o.attempt = "sha256:way" }), want: stepProbe},
		"taken back, failed":                   {observed: upToDate(takenBack, failedUpgrade(2), later), want: stepProbe},
		"taken back, and gone from the target": {observed: upToDate(takenBack, func(o *observed) { o.installation.Status.AppliedDigest = "" }), want: stepWait, phase: v1alpha1.PhaseFailed, reason: reasonReleaseGone, message: "a reconcile is asked for"},
		"taken back, target lost":              {observed: upToDate(takenBack, notReady, disconnected), want: stepWait, phase: v1alpha1.PhaseUnknown},

		"failed lately":       {observed: upToDate(failed), want: stepRetryLater},
		"failed, time is up":  {observed: upToDate(failed, func(o *observed) { o.now = testNow.Add(2 * time.Minute) }), want: stepInstall},
		"failed, new spec":    {observed: upToDate(failed, func(o *observed) { o.digest = "sha256:other" }), want: stepInstall},
		"failed, other turn":  {observed: upToDate(failed, func(o *observed) { o.installation.Generation++ }), want: stepRetryLater},
		"failed, other way":   {observed: upToDate(failed, func(o *observed) { o.attempt = "sha256:way" }), want: stepInstall},
		"spent, other way":    {observed: upToDate(outdated, failedUpgrade(6), func(o *observed) { o.attempt = "sha256:way" }), want: stepInstall},
		"failed, asked to":    {observed: upToDate(failed, func(o *observed) { o.installation.Spec.ReconcileRequest = "x" }), want: stepInstall},
		"failed, then leaves": {observed: upToDate(failed, deleted), want: stepUninstall},

		"leaves":               {observed: upToDate(deleted), want: stepUninstall},
		"leaves, nothing done": {observed: upToDate(deleted, fresh), want: stepRelease},
		"leaves, orphaned":     {observed: upToDate(deleted, orphan), want: stepDisown},
		"leaves, orphaned, and its marks stick": {observed: upToDate(deleted, orphan, func(o *observed) {
			o.installation.Status.Phase, o.installation.Status.Failures = v1alpha1.PhaseUninstalling, maxDisowns
			o.installation.Status.LastOperation = &v1alpha1.Operation{Type: v1alpha1.OperationUninstall}
		}), want: stepRelease, reason: "Orphaned"},
		"leaves, was disabled":    {observed: upToDate(deleted, func(o *observed) { o.installation.Spec.Enabled = false }), want: stepUninstall},
		"leaves, finalizer gone":  {observed: upToDate(deleted, func(o *observed) { o.installation.Finalizers = nil }), want: stepNone},
		"leaves, connecting":      {observed: upToDate(deleted, disconnected), want: stepRetryLater},
		"leaves, target not told": {observed: upToDate(deleted, notReady), want: stepUninstall},
		"leaves, target missing": {observed: upToDate(deleted, targetMissing), want: stepWait,
			phase: v1alpha1.PhaseUninstalling, reason: "TargetMissing", message: "deletionPolicy"},
		"leaves, target lost": {observed: upToDate(deleted, notReady, disconnected), want: stepWait,
			phase: v1alpha1.PhaseUninstalling, reason: "TargetNotReady", message: "deletionPolicy"},
		"leaves, target lost, orphaned":        {observed: upToDate(deleted, notReady, disconnected, orphan), want: stepRelease, reason: "Orphaned"},
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

func TestAttemptCoversHow(t *testing.T) {
	attempt := func(mutate func(*v1alpha1.Installation)) string {
		i := upToDate().installation
		i.Spec.AutoInstall.HelmConfig = &v1alpha1.HelmConfig{Chart: "c", Version: "1"}
		mutate(i)
		return attemptOf(i, digestOf(i, upToDate().target))
	}
	same := attempt(func(*v1alpha1.Installation) {})
	if attempt(func(i *v1alpha1.Installation) { i.Spec.WaitsFor, i.Generation = "its turn", 9 }) != same {
		t.Error("a turn in a rollout has failures counted anew")
	}
	for name, mutate := range map[string]func(*v1alpha1.Installation){
		"timeout": func(i *v1alpha1.Installation) { i.Spec.AutoInstall.TimeoutSeconds = new(int32(77)) },
		"password": func(i *v1alpha1.Installation) {
			i.Spec.AutoInstall.HelmConfig.SecretRef = &v1alpha1.LocalReference{Name: "other"}
		},
		"sources": func(i *v1alpha1.Installation) { i.Spec.SourcesDigest = "sha256:other" },
	} {
		if attempt(mutate) == same {
			t.Errorf("another %s would not be tried at once after a failure", name)
		}
	}
}

func TestDigestCoversWhatDecides(t *testing.T) {
	base := func() v1alpha1.Installation { return *upToDate().installation.DeepCopy() }
	digest := func(mutate func(*v1alpha1.Installation)) string {
		i := base()
		i.Spec.AutoInstall.HelmConfig = &v1alpha1.HelmConfig{Chart: "c", Version: "1"}
		i.Spec.AutoInstall.HelmConfig.ValuesObject = raw(`{"a":1,"b":{"c":2,"d":3}}`)
		mutate(&i)
		return digestOf(&i, upToDate().target)
	}
	same := digest(func(*v1alpha1.Installation) {})
	for name, mutate := range map[string]func(*v1alpha1.Installation){
		"timeout": func(i *v1alpha1.Installation) { i.Spec.AutoInstall.TimeoutSeconds = new(int32(77)) },
		"password": func(i *v1alpha1.Installation) {
			i.Spec.AutoInstall.HelmConfig.SecretRef = &v1alpha1.LocalReference{Name: "other"}
		},
		"turn":            func(i *v1alpha1.Installation) { i.Spec.WaitsFor = "its turn" },
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
		"sources":       func(i *v1alpha1.Installation) { i.Spec.SourcesDigest = "sha256:other" },
		"templating":    func(i *v1alpha1.Installation) { i.Spec.AutoInstall.HelmConfig.TemplateValues = true },
		"CRD policy":    func(i *v1alpha1.Installation) { i.Spec.AutoInstall.CRDPolicy = v1alpha1.CRDPolicySkip },
	} {
		if digest(mutate) == same {
			t.Errorf("%s does not change the digest, and would never reach the target", name)
		}
	}
}
