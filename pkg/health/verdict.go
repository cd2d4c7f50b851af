// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// startupGrace is how long an object that has no deadline of its own may take
// to become ready before that counts as failure. It is the default progress
// deadline of a Deployment.
const startupGrace = 10 * time.Minute

const (
	maxMessage = 300
	// maxReason bounds reasons, which are the target's own words where it has
	// some.
	maxReason = 128
)

// verdict is what is thought of one object.
type verdict struct {
	state   v1alpha1.CheckState
	reason  string
	message string
}

func passed(message string) verdict {
	return verdict{state: v1alpha1.CheckPassed, message: message}
}

func progressing(reason, format string, args ...any) verdict {
	return verdict{v1alpha1.CheckProgressing, cut(reason, maxReason), shorten(fmt.Sprintf(format, args...))}
}

func failed(reason, format string, args ...any) verdict {
	return verdict{v1alpha1.CheckFailed, cut(reason, maxReason), shorten(fmt.Sprintf(format, args...))}
}

func unknown(reason, format string, args ...any) verdict {
	return verdict{v1alpha1.CheckUnknown, cut(reason, maxReason), shorten(fmt.Sprintf(format, args...))}
}

// shorten makes one line of a message, of bounded length.
func shorten(message string) string {
	return cut(strings.Join(strings.Fields(message), " "), maxMessage)
}

// cut returns at most limit characters of a text.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	runes := []rune(text)
	if len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return text
}

// evaluate judges an object by itself.
func evaluate(u *unstructured.Unstructured, now time.Time) verdict {
	if u.GetDeletionTimestamp() != nil {
		return progressing("Terminating", "is being deleted")
	}
	if own := ownRule(u); own != nil {
		return overdue(u, *own, now)
	}
	result, err := status.Compute(u)
	if err != nil {
		return unknown("Malformed", "its status is not of the form that its kind has")
	}
	reason := ""
	if len(result.Conditions) > 0 {
		reason = result.Conditions[0].Reason
	}
	switch result.Status {
	case status.CurrentStatus:
		return passed(shorten(result.Message))
	case status.FailedStatus:
		return failed(orElse(reason, "Failed"), "%s", details(u, result))
	case status.InProgressStatus:
		return overdue(u, progressing(orElse(reason, "InProgress"), "%s", details(u, result)), now)
	case status.TerminatingStatus:
		return progressing("Terminating", "is being deleted")
	default:
		return unknown("Unknown", "%s", result.Message)
	}
}

// details is the message of kstatus, or where that is only a headline, that of
// the object's own condition.
func details(u *unstructured.Unstructured, result *status.Result) string {
	if c := condition(u, "Progressing"); c.reason == "ProgressDeadlineExceeded" {
		return "progress deadline exceeded: " + c.message
	}
	return result.Message
}

// overdue makes a failure of a progress that lasts longer than it may. It
// leaves workloads alone, whose pods tell more, and changes that nobody has
// taken up yet.
func overdue(u *unstructured.Unstructured, v verdict, now time.Time) verdict {
	if v.state != v1alpha1.CheckProgressing || isWorkload(u.GroupVersionKind().GroupKind()) || v.reason == "LatestGenerationNotObserved" {
		return v
	}
	since := u.GetCreationTimestamp().Time
	if ready := condition(u, "Ready"); ready.since.After(since) {
		since = ready.since
	}
	if now.Sub(since) > startupGrace {
		v.state = v1alpha1.CheckFailed
	}
	return v
}

// ownRule judges the kinds for which kstatus has no rule or too weak a one, and
// returns nil for all others.
func ownRule(u *unstructured.Unstructured) *verdict {
	var v verdict
	switch gk := u.GroupVersionKind().GroupKind(); gk {
	case deploymentKind:
		if paused, _, _ := unstructured.NestedBool(u.Object, "spec", "paused"); !paused {
			return nil
		}
		v = progressing("Paused", "is paused: nothing is rolled out until it is resumed")
	case daemonSetKind:
		if field(u, "spec", "updateStrategy", "type") != "OnDelete" || !observed(u) {
			return nil
		}
		desired, ready := number(u, "status", "desiredNumberScheduled"), number(u, "status", "numberReady")
		v = passed("all pods are ready")
		if ready < desired {
			v = progressing("LessReady", "Ready: %d/%d", ready, desired)
		}
	case replicationControllerKind:
		desired, ready := number(u, "spec", "replicas"), number(u, "status", "readyReplicas")
		v = passed("all pods are ready")
		if ready < desired || !observed(u) {
			v = progressing("LessReady", "Ready: %d/%d", ready, desired)
		}
	case podKind:
		if field(u, "status", "phase") != "Failed" {
			return nil
		}
		v = failed("PodFailed", "has ended in failure: %s", field(u, "status", "message"))
	case serviceKind:
		external, _, _ := unstructured.NestedSlice(u.Object, "spec", "externalIPs")
		ingress, _, _ := unstructured.NestedSlice(u.Object, "status", "loadBalancer", "ingress")
		if field(u, "spec", "type") != "LoadBalancer" || len(external) > 0 || len(ingress) > 0 {
			return nil
		}
		v = progressing("NoLoadBalancer", "has no address from a load balancer yet")
	case apiServiceKind:
		switch available := condition(u, "Available"); available.status {
		case "True":
			v = passed("is available")
		case "False":
			v = progressing(orElse(available.reason, "Unavailable"), "is not available: %s", available.message)
		default:
			v = progressing("NotObserved", "its availability is not known yet")
		}
	default:
		return nil
	}
	return &v
}

// settled is true for a workload whose present revision was once rolled out
// whole: that it is not ready now is no progress of a rollout.
func settled(u *unstructured.Unstructured) bool {
	if !observed(u) {
		return false
	}
	switch u.GroupVersionKind().GroupKind() {
	case deploymentKind:
		return condition(u, "Progressing").reason == "NewReplicaSetAvailable"
	case statefulSetKind:
		return field(u, "status", "currentRevision") == field(u, "status", "updateRevision")
	case daemonSetKind:
		return number(u, "status", "updatedNumberScheduled") >= number(u, "status", "desiredNumberScheduled")
	default:
		return true
	}
}

// observed is true when the controller has seen the present generation.
func observed(u *unstructured.Unstructured) bool {
	return number(u, "status", "observedGeneration") >= u.GetGeneration()
}

type objectCondition struct {
	status, reason, message string
	since                   time.Time
	generation              int64
}

// condition returns a condition of an object, empty when it has none such.
func condition(u *unstructured.Unstructured, conditionType string) objectCondition {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		m, ok := c.(map[string]any)
		if !ok || m["type"] != conditionType {
			continue
		}
		found := objectCondition{}
		found.status, _ = m["status"].(string)
		found.reason, _ = m["reason"].(string)
		found.message, _ = m["message"].(string)
		found.generation, _ = m["observedGeneration"].(int64)
		if since, ok := m["lastTransitionTime"].(string); ok {
			found.since, _ = time.Parse(time.RFC3339, since)
		}
		return found
	}
	return objectCondition{}
}

func field(u *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(u.Object, path...)
	return s
}

func number(u *unstructured.Unstructured, path ...string) int64 {
	n, _, _ := unstructured.NestedInt64(u.Object, path...)
	return n
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
