// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// now is when these tests play; old and young are times of creation.
var now = time.Date(2026, 2, 2, 12, 0, 0, 0, time.UTC)

const (
	old   = `creationTimestamp: "2026-02-01T00:00:00Z"`
	young = `creationTimestamp: "2026-02-02T11:59:00Z"`
)

func parse(t testing.TB, document string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestEvaluate(t *testing.T) {
	tests := map[string]struct {
		object string
		state  v1alpha1.CheckState
		reason string
	}{
		"Deployment, ready": {
			object: `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 2, ` + old + `}, spec: {replicas: 1, progressDeadlineSeconds: 600},
				status: {observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1,
				conditions: [{type: Available, status: "True"}, {type: Progressing, status: "True", reason: NewReplicaSetAvailable}]}}`,
			state: v1alpha1.CheckPassed,
		},
		"Deployment, just made": {
			object: `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 1, ` + young + `}, spec: {replicas: 1}}`,
			state:  v1alpha1.CheckProgressing, reason: "LessReplicas",
		},
		"Deployment, changed": {
			object: `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 3, ` + old + `}, spec: {replicas: 1}, status: {observedGeneration: 2}}`,
			state:  v1alpha1.CheckProgressing, reason: "LatestGenerationNotObserved",
		},
		"Deployment, past its deadline": {
			object: `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 1, ` + old + `}, spec: {replicas: 1, progressDeadlineSeconds: 600},
				status: {observedGeneration: 1, conditions: [{type: Progressing, status: "False", reason: ProgressDeadlineExceeded, message: x}]}}`,
			state: v1alpha1.CheckFailed, reason: "ProgressDeadlineExceeded",
		},
		"Deployment, paused": {
			object: `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {paused: true}}`,
			state:  v1alpha1.CheckProgressing, reason: "Paused",
		},
		"DaemonSet replaced by hand, not all updated": {
			object: `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: a, generation: 2, ` + old + `}, spec: {updateStrategy: {type: OnDelete}},
				status: {observedGeneration: 2, desiredNumberScheduled: 2, numberReady: 2, updatedNumberScheduled: 1}}`,
			state: v1alpha1.CheckPassed,
		},
		"StatefulSet, too few": {
			object: `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a, generation: 1, ` + old + `}, spec: {replicas: 2}, status: {observedGeneration: 1, replicas: 2, readyReplicas: 1}}`,
			state:  v1alpha1.CheckProgressing, reason: "LessReady",
		},
		"Service":                           {object: `{apiVersion: v1, kind: Service, metadata: {name: a, ` + old + `}, spec: {clusterIP: 10.0.0.1}}`, state: v1alpha1.CheckPassed},
		"load balancer, waiting":            {object: `{apiVersion: v1, kind: Service, metadata: {name: a, ` + young + `}, spec: {type: LoadBalancer, clusterIP: 10.0.0.1}}`, state: v1alpha1.CheckProgressing, reason: "NoLoadBalancer"},
		"load balancer, waiting too long":   {object: `{apiVersion: v1, kind: Service, metadata: {name: a, ` + old + `}, spec: {type: LoadBalancer, clusterIP: 10.0.0.1}}`, state: v1alpha1.CheckFailed, reason: "NoLoadBalancer"},
		"load balancer, with an address":    {object: `{apiVersion: v1, kind: Service, metadata: {name: a, ` + old + `}, spec: {type: LoadBalancer, clusterIP: 10.0.0.1}, status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}}`, state: v1alpha1.CheckPassed},
		"load balancer, external addresses": {object: `{apiVersion: v1, kind: Service, metadata: {name: a, ` + old + `}, spec: {type: LoadBalancer, clusterIP: 10.0.0.1, externalIPs: [1.2.3.4]}}`, state: v1alpha1.CheckPassed},
		"claim, bound":                      {object: `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: a, ` + old + `}, status: {phase: Bound}}`, state: v1alpha1.CheckPassed},
		"claim, pending":                    {object: `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: a, ` + young + `}, status: {phase: Pending}}`, state: v1alpha1.CheckProgressing, reason: "NotBound"},
		"claim, pending too long":           {object: `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: a, ` + old + `}, status: {phase: Pending}}`, state: v1alpha1.CheckFailed, reason: "NotBound"},
		"Job, failed":                       {object: `{apiVersion: batch/v1, kind: Job, metadata: {name: a, ` + old + `}, status: {startTime: "2026-02-01T00:00:00Z", conditions: [{type: Failed, status: "True"}]}}`, state: v1alpha1.CheckFailed, reason: "JobFailed"},
		"Job, running":                      {object: `{apiVersion: batch/v1, kind: Job, metadata: {name: a, ` + old + `}, status: {startTime: "2026-02-01T00:00:00Z", active: 1}}`, state: v1alpha1.CheckPassed},
		"Pod, failed":                       {object: `{apiVersion: v1, kind: Pod, metadata: {name: a, ` + old + `}, status: {phase: Failed}}`, state: v1alpha1.CheckFailed, reason: "PodFailed"},
		"CRD, established":                  {object: `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: a, ` + old + `}, status: {conditions: [{type: Established, status: "True"}]}}`, state: v1alpha1.CheckPassed},
		"CRD, name taken":                   {object: `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: a, ` + young + `}, status: {conditions: [{type: NamesAccepted, status: "False", reason: ListKindConflict, message: m}]}}`, state: v1alpha1.CheckFailed, reason: "ListKindConflict"},
		"APIService, available":             {object: `{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: a, ` + old + `}, status: {conditions: [{type: Available, status: "True"}]}}`, state: v1alpha1.CheckPassed},
		"APIService, down":                  {object: `{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: a, ` + old + `}, status: {conditions: [{type: Available, status: "False", reason: MissingEndpoints, message: m}]}}`, state: v1alpha1.CheckFailed, reason: "MissingEndpoints"},
		"custom resource, no conditions":    {object: `{apiVersion: x.io/v1, kind: X, metadata: {name: a, ` + old + `}}`, state: v1alpha1.CheckPassed},
		"custom resource, lately not ready": {object: `{apiVersion: x.io/v1, kind: X, metadata: {name: a, ` + old + `}, status: {conditions: [{type: Ready, status: "False", reason: R, message: m, lastTransitionTime: "2026-02-02T11:55:00Z"}]}}`, state: v1alpha1.CheckProgressing, reason: "R"},
		"custom resource, long not ready":   {object: `{apiVersion: x.io/v1, kind: X, metadata: {name: a, ` + old + `}, status: {conditions: [{type: Ready, status: "False", reason: R, message: m, lastTransitionTime: "2026-02-02T01:00:00Z"}]}}`, state: v1alpha1.CheckFailed, reason: "R"},
		"custom resource, stalled":          {object: `{apiVersion: x.io/v1, kind: X, metadata: {name: a, ` + young + `}, status: {conditions: [{type: Stalled, status: "True", reason: R, message: m}]}}`, state: v1alpha1.CheckFailed, reason: "R"},
		"custom resource, strange status":   {object: `{apiVersion: x.io/v1, kind: X, metadata: {name: a, ` + young + `}, status: {conditions: hello}}`, state: v1alpha1.CheckUnknown, reason: "Malformed"},
		"going":                             {object: `{apiVersion: x.io/v1, kind: X, metadata: {name: a, deletionTimestamp: "2026-02-01T00:00:00Z", ` + old + `}}`, state: v1alpha1.CheckProgressing, reason: "Terminating"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := evaluate(parse(t, test.object), now)
			if got.state != test.state || got.reason != test.reason {
				t.Errorf("got %s, reason %q (%s), want %s, reason %q", got.state, got.reason, got.message, test.state, test.reason)
			}
			if got.message == "" {
				t.Error("no message")
			}
		})
	}
}

// TestVerdictIsBounded has an object whose conditions are as long as somebody on
// the target likes.
func TestVerdictIsBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, v := range []verdict{progressing(long, "%s", long), failed(long, "%s", long), unknown(long, "%s", long), evaluate(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Leaf", "metadata": map[string]any{"name": "a"},
		"status": map[string]any{"conditions": []any{map[string]any{"type": "Stalled", "status": "True", "reason": long, "message": long}}},
	}}, time.Now())} {
		if len([]rune(v.reason)) > maxReason || len([]rune(v.message)) > maxMessage {
			t.Errorf("a reason of %d bytes, a message of %d", len(v.reason), len(v.message))
		}
	}
}

func TestShorten(t *testing.T) {
	if got := shorten("a\n  b\tc"); got != "a b c" {
		t.Errorf("got %q", got)
	}
	if got := shorten(strings.Repeat("ä", 1000)); len([]rune(got)) != maxMessage || !strings.HasSuffix(got, "…") {
		t.Errorf("got %d runes", len([]rune(got)))
	}
}
