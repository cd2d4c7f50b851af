// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed/chartserver"
)

// TestStuckPendingReleaseIsRecovered finds a release in each of the states in
// which a process that was killed leaves it. The next change goes through, and
// what works is never uninstalled for it.
func TestStuckPendingReleaseIsRecovered(t *testing.T) {
	ns := namespace(t, "one")
	target := s.bed.Targets[0]
	for _, status := range []string{"pending-install", "pending-upgrade", "pending-rollback"} {
		t.Run(status, func(t *testing.T) {
			name := "left-" + status
			kubectl(t, generic(ns, name, "podinfo-lite", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
			waitPhase(t, ns, name, v1alpha1.PhaseRunning)
			before := deploymentUID(t, target, name)

			leavePending(t, target, name, status)
			kubectl(t, generic(ns, name, "podinfo-lite", "1.1.0", []string{"one"}, ""), "apply", "-f", "-")
			waitPhase(t, ns, name, v1alpha1.PhaseRunning)

			revisions := history(t, target, name)
			if err := sound(revisions); err != nil {
				t.Errorf("%v: %+v", err, revisions)
			} else if newest := revisions[len(revisions)-1]; newest.version != "1.1.0" {
				t.Errorf("version %s is deployed", newest.version)
			}
			if after := deploymentUID(t, target, name); after != before {
				t.Error("the Deployment was deleted and made again")
			}
		})
	}
}

// TestLeftHookIsReplaced finds the Job of a hook that its chart has deleted only
// when it succeeds, as a process leaves it that is killed before that.
func TestLeftHookIsReplaced(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "one")
	target := s.bed.Targets[0]
	kubectl(t, generic(ns, "hooked", "hooks", "1.0.0", []string{"one"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "hooked", v1alpha1.PhaseRunning)
	leave := func(hook string) {
		t.Helper()
		out, err := tryKubectl(t.Context(), target.Kubeconfig, fmt.Sprintf(`
apiVersion: batch/v1
kind: Job
metadata: {name: hooked-%[1]s-second, namespace: hooked, annotations: {helm.sh/hook: %[1]s}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: hook, image: registry.example.com/bed/hook:1}]}}}
`, hook), "create", "-f", "-")
		if err != nil {
			t.Fatalf("leaving a Job: %v\n%s", err, out)
		}
	}
	leave("pre-upgrade")
	kubectl(t, generic(ns, "hooked", "hooks", "1.1.0", []string{"one"}, ""), "apply", "-f", "-")
	waitPhase(t, ns, "hooked", v1alpha1.PhaseRunning)
	if err := sound(history(t, target, "hooked")); err != nil {
		t.Error(err)
	}
	leave("pre-delete")
	kubectl(t, "", "delete", "integration", "hooked", "-n", ns, "--timeout=120s")
}

// TestFailingUpgradesKeepTheHistoryBounded has an upgrade fail again and again:
// the Secrets on the target do not pile up, and the last revision that went
// through is not among those that make room.
func TestFailingUpgradesKeepTheHistoryBounded(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "one")
	target := s.bed.Targets[0]
	kubectl(t, generic(ns, "weekend", "immutable", "1.0.0", []string{"one"}, "    remediation: {retries: 0}\n"), "apply", "-f", "-")
	waitPhase(t, ns, "weekend", v1alpha1.PhaseRunning)
	before := deploymentUID(t, target, "weekend")
	kubectl(t, generic(ns, "weekend", "immutable", "2.0.0", []string{"one"}, "    remediation: {retries: 0}\n"), "apply", "-f", "-")
	for n := range 2 * historyBound {
		request := fmt.Sprintf("again-%d", n)
		kubectl(t, "", "annotate", "integration", "weekend", "-n", ns, "--overwrite", "reconcile="+request)
		waitInstallation(t, ns, "weekend.one", "failed once more", func(i *v1alpha1.Installation) bool {
			last := i.Status.LastOperation
			return i.Status.LastReconcileRequest == request && last != nil && last.Outcome != v1alpha1.OperationRunning && i.Status.Failures > 0
		})
		revisions := history(t, target, "weekend")
		if len(revisions) > historyBound {
			t.Fatalf("after %d failures there are %d revisions: %+v", n+1, len(revisions), revisions)
		}
		if !slices.ContainsFunc(revisions, func(r revision) bool {
			return r.version == "1.0.0" && (r.status == "deployed" || r.status == "superseded")
		}) {
			t.Fatalf("after %d failures nothing is left to go back to: %+v", n+1, revisions)
		}
	}
	if after := deploymentUID(t, target, "weekend"); after != before {
		t.Error("the Deployment was deleted and made again")
	}
}

// TestTransientFailureMendsItself takes the repository away for longer than one
// attempt lasts. No retry is allowed, and yet it is tried until it works:
// nothing had been sent to the cluster.
func TestTransientFailureMendsItself(t *testing.T) {
	ns := namespace(t, "one")
	charts := s.bed.Charts.Server
	// A version of its own, which no cache can have.
	if err := charts.Publish("test", "podinfo-lite", "0.9.0", "0.9.0"); err != nil {
		t.Fatal(err)
	}
	const archive = "/test/podinfo-lite-0.9.0.tgz"
	charts.SetFault(archive, chartserver.Fault{Status: 503})
	t.Cleanup(func() { charts.ClearFault(archive) })
	kubectl(t, generic(ns, "outage", "podinfo-lite", "0.9.0", []string{"one"}, "    remediation: {retries: 0}\n"), "apply", "-f", "-")
	waitInstallation(t, ns, "outage.one", "failed twice", func(i *v1alpha1.Installation) bool { return i.Status.Failures >= 2 })
	i := waitInstallation(t, ns, "outage.one", "about to be tried again", func(i *v1alpha1.Installation) bool { return i.Status.NextRetryTime != nil })
	if stalled := meta.FindStatusCondition(i.Status.Conditions, v1alpha1.ConditionStalled); stalled != nil && stalled.Status == metav1.ConditionTrue {
		t.Errorf("given up: %+v", stalled)
	}
	charts.ClearFault(archive)
	waitPhase(t, ns, "outage", v1alpha1.PhaseRunning)
}

// TestSpentRetriesStallUntilAskedAgain has an install fail for good: it is tried
// as often as the spec says, then the object says that it was given up, and a
// request begins anew.
func TestSpentRetriesStallUntilAskedAgain(t *testing.T) {
	ns := namespace(t, "one")
	target := s.bed.Targets[0]
	manifest := generic(ns, "hopeless", "broken", "1.0.0", []string{"one"}, "    remediation: {retries: 1}\n")
	kubectl(t, strings.Replace(manifest, "timeoutSeconds: 60", "timeoutSeconds: 10", 1), "apply", "-f", "-")
	stalled := func(i *v1alpha1.Installation) bool {
		return meta.IsStatusConditionTrue(i.Status.Conditions, v1alpha1.ConditionStalled) && i.Status.Phase == v1alpha1.PhaseFailed
	}
	i := waitInstallation(t, ns, "hopeless.one", "Stalled", stalled)
	if i.Status.NextRetryTime != nil || i.Status.Failures != 2 {
		t.Errorf("after the first attempt and one retry: %d failures, the next attempt at %v", i.Status.Failures, i.Status.NextRetryTime)
	}
	waitMessage(t, ns, "hopeless", v1alpha1.PhaseFailed, "Deployment")

	// What was wrong is mended on the cluster, where KSIT cannot see it.
	nodes := clientOf(t, target).CoreV1().Nodes()
	list, err := nodes.List(t.Context(), metav1.ListOptions{Limit: 1})
	if err != nil || len(list.Items) == 0 {
		t.Fatalf("no nodes: %v", err)
	}
	label := func(ctx context.Context, value string) error {
		_, err := nodes.Patch(ctx, list.Items[0].Name, types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{"bed.ksit.io/no-such-node":%s}}}`, value), metav1.PatchOptions{})
		return err
	}
	if err := label(t.Context(), `"true"`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := label(context.Background(), "null"); err != nil {
			t.Error(err)
		}
	})
	kubectl(t, "", "annotate", "integration", "hopeless", "-n", ns, "reconcile=mended")
	waitPhase(t, ns, "hopeless", v1alpha1.PhaseRunning)
	if err := sound(history(t, target, "hopeless")); err != nil {
		t.Error(err)
	}
}

// waitInstallation waits until an Installation is as wanted.
func waitInstallation(t testing.TB, ns, name, what string, wanted func(*v1alpha1.Installation) bool) *v1alpha1.Installation {
	t.Helper()
	var last *v1alpha1.Installation
	if !poll(t.Context(), eventually, func(ctx context.Context) bool {
		i, err := s.ksit.KsitV1alpha1().Installations(ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false
		}
		last = i
		return wanted(i)
	}) {
		if last == nil {
			t.Fatalf("there is no Installation %s/%s", ns, name)
		}
		t.Fatalf("Installation %s/%s is not %s: %s: %s; %d failures; last operation %+v; conditions %+v", ns, name, what,
			last.Status.Phase, last.Status.Message, last.Status.Failures, last.Status.LastOperation, last.Status.Conditions)
	}
	return last
}
