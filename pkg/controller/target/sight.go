// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/status"
	"ksit.io/ksit/pkg/metrics"
)

// rewriteAfter is the age at which the latency and the time of the last probe
// are written again although nothing else changed.
const rewriteAfter = 10 * time.Minute

// sight is what one look at a target showed.
type sight struct {
	// refusal is set when there was no kubeconfig to probe with.
	refusal *cluster.Finding
	info    cluster.Info
	report  cluster.Report
}

func (s sight) ready() bool { return s.refusal == nil && s.report.Healthy() }

// measured is what metrics show of a look that began then.
func (s sight) measured(began time.Time, connected bool) metrics.TargetProbe {
	probe := metrics.TargetProbe{Connected: connected, Time: began, CredentialsExpire: s.info.ExpiresAt}
	if s.report.Reachable.Status == metav1.ConditionTrue {
		probe.Latency = s.report.Latency
	}
	return probe
}

// enter writes what was seen into the status of the target. What was not found
// out stays as it was: the last truth, with its time.
func (s sight) enter(target *v1alpha1.IntegrationTarget, installations []*v1alpha1.Installation) {
	st := &target.Status
	changed := st.ObservedGeneration != target.Generation || st.Ready != s.ready()
	st.ObservedGeneration = target.Generation
	st.Ready = s.ready()
	st.Installations = int32(len(installations))
	set := func(kind string, f cluster.Finding) {
		status.Set(&st.Conditions, target.Generation, kind, f.Status, f.Reason, f.Message)
	}
	if s.refusal != nil {
		unknown := cluster.Finding{Status: metav1.ConditionUnknown, Reason: "NotProbed", Message: "there is no kubeconfig to probe with"}
		set(v1alpha1.ConditionCredentialsValid, *s.refusal)
		set(v1alpha1.ConditionReachable, unknown)
		set(v1alpha1.ConditionAuthorized, unknown)
		message := s.refusal.Message
		if target.DeletionTimestamp != nil {
			message = inUse(installations) + "; " + message
		}
		setReady(target, false, s.refusal.Reason, message)
		return
	}
	st.Endpoint = s.info.Endpoint
	st.CredentialsExpireAt = nil
	if !s.info.ExpiresAt.IsZero() {
		st.CredentialsExpireAt = &metav1.Time{Time: s.info.ExpiresAt.Truncate(time.Second)}
	}
	set(v1alpha1.ConditionReachable, s.report.Reachable)
	set(v1alpha1.ConditionCredentialsValid, s.report.CredentialsValid)
	set(v1alpha1.ConditionAuthorized, s.report.Authorized)
	switch reason, message := s.verdict(); {
	case target.DeletionTimestamp != nil:
		setReady(target, s.ready(), "Deleting", inUse(installations))
	default:
		setReady(target, s.ready(), reason, message)
	}
	if s.report.Reachable.Status != metav1.ConditionTrue {
		return
	}
	if s.report.Version != "" {
		st.Version = s.report.Version
	}
	if s.report.Nodes != nil {
		st.Nodes = s.report.Nodes
	}
	if changed || st.LastProbeTime == nil || s.report.Time.Sub(st.LastProbeTime.Time) > rewriteAfter {
		st.LatencyMilliseconds = max(1, s.report.Latency.Milliseconds())
		st.LastProbeTime = &metav1.Time{Time: s.report.Time.Truncate(time.Second)}
	}
}

// verdict is the reason and message of the condition Ready: those of the first
// finding that is not as it should be.
func (s sight) verdict() (reason, message string) {
	for _, finding := range []cluster.Finding{s.report.Reachable, s.report.CredentialsValid, s.report.Authorized} {
		if finding.Status != metav1.ConditionTrue {
			return finding.Reason, finding.Message
		}
	}
	return "Ready", "the cluster can be installed on"
}

func setReady(target *v1alpha1.IntegrationTarget, ready bool, reason, message string) {
	status.Set(&target.Status.Conditions, target.Generation, v1alpha1.ConditionReady, status.Bool(ready), reason, message)
}

func readyReason(target *v1alpha1.IntegrationTarget) string {
	if ready := meta.FindStatusCondition(target.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Reason
	}
	return ""
}

func readyMessage(target *v1alpha1.IntegrationTarget) string {
	if ready := meta.FindStatusCondition(target.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Message
	}
	return ""
}
