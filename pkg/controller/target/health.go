// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/pace"
)

// Health is what one look at a target shows, in the words in which the
// controller writes it to the status. A target that cannot be connected to, or
// does not answer, is an answer. It writes nothing, and ends with the timeout of
// the target's probes.
func Health(ctx context.Context, connections *cluster.Set, secrets cluster.Secrets, target *v1alpha1.IntegrationTarget) *v1alpha1.IntegrationTargetHealth {
	began := time.Now()
	// Of the status only the conditions count: they know since when they are as
	// they are. A deletion under way is no matter of health.
	shown := &v1alpha1.IntegrationTarget{ObjectMeta: *target.ObjectMeta.DeepCopy(), Spec: target.Spec}
	shown.DeletionTimestamp = nil
	for _, condition := range target.Status.Conditions {
		shown.Status.Conditions = append(shown.Status.Conditions, condition)
	}
	if target.Spec.Suspend {
		enterSuspended(shown)
	} else {
		look(ctx, connections, secrets, target).enter(shown, nil)
	}
	st := &shown.Status
	return &v1alpha1.IntegrationTargetHealth{
		ObjectMeta:          metav1.ObjectMeta{Namespace: target.Namespace, Name: target.Name},
		ProbedAt:            metav1.NewTime(began),
		TookMilliseconds:    time.Since(began).Milliseconds(),
		Ready:               st.Ready,
		Conditions:          st.Conditions,
		Version:             st.Version,
		Nodes:               st.Nodes,
		Endpoint:            st.Endpoint,
		CredentialsExpireAt: st.CredentialsExpireAt,
		LatencyMilliseconds: st.LatencyMilliseconds,
	}
}

// look reads the kubeconfig, connects and probes.
func look(ctx context.Context, connections *cluster.Set, secrets cluster.Secrets, target *v1alpha1.IntegrationTarget) sight {
	connection, refusal := connections.ConnectTarget(ctx, secrets, target)
	if refusal != nil {
		return sight{refusal: refusal}
	}
	probe, cancel := context.WithTimeout(ctx, pace.Timeout(target))
	defer cancel()
	report := connection.Probe(probe)
	if report.Authorized.Reason == cluster.ReasonMissingPermissions && actsOnlyAsTenants(target) {
		report.Authorized = cluster.Finding{Status: metav1.ConditionTrue, Reason: "ActsAsTenants",
			Message: "the credentials may not install by themselves, nor do they: spec.tenancy.impersonate says as whom, and each install asks whether that one may"}
	}
	return sight{info: connection.Info(), report: report}
}

// actsOnlyAsTenants tells whether there is no namespace for which KSIT acts on a
// target with the power of the kubeconfig itself. The rights to install are then
// no business of the kubeconfig, which may be one that can do nothing but
// impersonate.
func actsOnlyAsTenants(target *v1alpha1.IntegrationTarget) bool {
	tenancy := target.Spec.Tenancy
	if tenancy == nil {
		return false
	}
	without := func(namespace string) bool { return target.IdentityFor(namespace) == nil }
	return !without(target.Namespace) && !slices.ContainsFunc(tenancy.AllowedNamespaces, without)
}

// enterSuspended says that a target is not looked at.
func enterSuspended(target *v1alpha1.IntegrationTarget) {
	target.Status.Ready = false
	setReady(target, false, "Suspended", "spec.suspend is true: nothing is installed or probed; the rest of the status is what was last true")
}
