// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

func parsePod(t testing.TB, document string) corev1.Pod {
	t.Helper()
	var pod corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(parse(t, document).Object, &pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

func podWith(name, creation, status string) string {
	return `{apiVersion: v1, kind: Pod, metadata: {name: ` + name + `, ` + creation + `}, status: {` + status + `}}`
}

func TestJudgePod(t *testing.T) {
	tests := map[string]struct {
		creation, status string
		state            v1alpha1.CheckState
		reason           string
	}{
		"ready":               {old, `phase: Running, conditions: [{type: Ready, status: "True"}]`, v1alpha1.CheckPassed, ""},
		"done":                {old, `phase: Succeeded`, v1alpha1.CheckPassed, ""},
		"starting":            {young, `phase: Pending`, v1alpha1.CheckProgressing, "PodStarting"},
		"not ready for long":  {old, `phase: Running, containerStatuses: [{name: c, ready: false, restartCount: 0, state: {running: {}}}]`, v1alpha1.CheckFailed, "PodNotReady"},
		"no node yet":         {`creationTimestamp: "2026-02-02T11:59:30Z"`, `phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: 0/1 nodes}]`, v1alpha1.CheckProgressing, "Unschedulable"},
		"no node":             {old, `phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: 0/1 nodes}]`, v1alpha1.CheckFailed, "Unschedulable"},
		"pull error":          {young, `phase: Pending, containerStatuses: [{name: c, image: "x:1", state: {waiting: {reason: ErrImagePull, message: m}}}]`, v1alpha1.CheckFailed, "ImagePullBackOff"},
		"pull back-off":       {young, `phase: Pending, containerStatuses: [{name: c, image: "x:1", state: {waiting: {reason: ImagePullBackOff}}}]`, v1alpha1.CheckFailed, "ImagePullBackOff"},
		"crash back-off":      {young, `phase: Running, containerStatuses: [{name: c, restartCount: 1, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1}}}]`, v1alpha1.CheckFailed, "CrashLoopBackOff"},
		"between crashes":     {young, `phase: Running, containerStatuses: [{name: c, restartCount: 4, state: {running: {}}, lastState: {terminated: {exitCode: 1}}}]`, v1alpha1.CheckFailed, "CrashLoopBackOff"},
		"restarted once":      {young, `phase: Running, containerStatuses: [{name: c, restartCount: 1, state: {running: {}}, lastState: {terminated: {exitCode: 1}}}]`, v1alpha1.CheckProgressing, "PodStarting"},
		"out of memory":       {young, `phase: Running, containerStatuses: [{name: c, restartCount: 2, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 137, reason: OOMKilled}}}]`, v1alpha1.CheckFailed, "OOMKilled"},
		"init container":      {young, `phase: Pending, initContainerStatuses: [{name: i, restartCount: 3, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 2}}}], containerStatuses: [{name: c, state: {waiting: {reason: PodInitializing}}}]`, v1alpha1.CheckFailed, "CrashLoopBackOff"},
		"missing ConfigMap":   {young, `phase: Pending, containerStatuses: [{name: c, state: {waiting: {reason: CreateContainerConfigError, message: 'configmap "a" not found'}}}]`, v1alpha1.CheckFailed, "CreateContainerConfigError"},
		"evicted":             {young, `phase: Failed, reason: Evicted`, v1alpha1.CheckFailed, "Evicted"},
		"creating containers": {young, `phase: Pending, containerStatuses: [{name: c, state: {waiting: {reason: ContainerCreating}}}]`, v1alpha1.CheckProgressing, "PodStarting"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pod := parsePod(t, podWith("p", test.creation, test.status))
			if got := judgePod(&pod, now); got.state != test.state || got.reason != test.reason {
				t.Errorf("got %s, reason %q (%s), want %s, reason %q", got.state, got.reason, got.message, test.state, test.reason)
			}
		})
	}
}

// The kubelet goes back and forth between reasons; the verdict must not, or the
// status would be written with each turn.
func TestJudgePodIsSteady(t *testing.T) {
	for _, turns := range [][]string{
		{
			`containerStatuses: [{name: c, image: "x:1", state: {waiting: {reason: ErrImagePull, message: one}}}]`,
			`containerStatuses: [{name: c, image: "x:1", state: {waiting: {reason: ImagePullBackOff, message: two}}}]`,
		},
		{
			`containerStatuses: [{name: c, restartCount: 5, state: {running: {}}, lastState: {terminated: {exitCode: 1}}}]`,
			`containerStatuses: [{name: c, restartCount: 6, state: {terminated: {exitCode: 1}}, lastState: {terminated: {exitCode: 1}}}]`,
			`containerStatuses: [{name: c, restartCount: 6, state: {waiting: {reason: CrashLoopBackOff, message: back-off 5m}}, lastState: {terminated: {exitCode: 1}}}]`,
		},
	} {
		first := parsePod(t, podWith("p", young, turns[0]))
		want := judgePod(&first, now)
		for _, turn := range turns[1:] {
			pod := parsePod(t, podWith("p", young, turn))
			if got := judgePod(&pod, now); got != want {
				t.Errorf("got %+v, before %+v", got, want)
			}
		}
	}
}

func TestJudgeWorkload(t *testing.T) {
	const (
		rolling  = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 1, ` + old + `}, status: {observedGeneration: 1, conditions: [{type: Progressing, status: "True", reason: ReplicaSetUpdated}]}}`
		rolled   = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 1, ` + old + `}, status: {observedGeneration: 1, conditions: [{type: Progressing, status: "True", reason: NewReplicaSetAvailable}]}}`
		refused  = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 1, ` + young + `}, status: {observedGeneration: 1, conditions: [{type: ReplicaFailure, status: "True", reason: FailedCreate, message: exceeded quota}]}}`
		new      = `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a, generation: 1, ` + young + `}, status: {observedGeneration: 1}}`
		starting = `phase: Pending`
		crashing = `containerStatuses: [{name: c, restartCount: 5, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1}}}]`
		ready    = `phase: Running, conditions: [{type: Ready, status: "True"}]`
	)
	tests := map[string]struct {
		workload string
		before   verdict
		pods     []string
		state    v1alpha1.CheckState
		reason   string
	}{
		"rolling out":                     {rolling, progressing("LessReady", "Ready: 0/1"), []string{podWith("a", young, starting)}, v1alpha1.CheckProgressing, "PodStarting"},
		"rolling out, none made":          {rolling, progressing("LessReplicas", "x"), nil, v1alpha1.CheckProgressing, "LessReplicas"},
		"rolled out before, pod replaced": {rolled, progressing("LessReady", "x"), []string{podWith("a", young, starting)}, v1alpha1.CheckProgressing, "PodStarting"},
		"rolled out before, none there":   {rolled, progressing("LessReady", "x"), nil, v1alpha1.CheckFailed, "LessReady"},
		"crashing":                        {rolling, progressing("LessReady", "x"), []string{podWith("a", young, ready), podWith("b", young, crashing)}, v1alpha1.CheckFailed, "CrashLoopBackOff"},
		"deadline passed by crashing":     {rolling, failed("ProgressDeadlineExceeded", "x"), []string{podWith("b", young, crashing)}, v1alpha1.CheckFailed, "CrashLoopBackOff"},
		"deadline passed":                 {rolling, failed("ProgressDeadlineExceeded", "x"), []string{podWith("b", young, starting)}, v1alpha1.CheckFailed, "ProgressDeadlineExceeded"},
		"pods refused":                    {refused, progressing("LessReplicas", "x"), nil, v1alpha1.CheckFailed, "FailedCreate"},
		"new StatefulSet":                 {new, progressing("LessReplicas", "x"), nil, v1alpha1.CheckProgressing, "LessReplicas"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var pods []corev1.Pod
			for _, p := range test.pods {
				pods = append(pods, parsePod(t, p))
			}
			got := judgeWorkload(parse(t, test.workload), test.before, pods, now)
			if got.state != test.state || got.reason != test.reason {
				t.Errorf("got %s, reason %q (%s), want %s, reason %q", got.state, got.reason, got.message, test.state, test.reason)
			}
		})
	}
}

func TestWorstPodIsDeterministic(t *testing.T) {
	pods := []corev1.Pod{
		parsePod(t, podWith("b", young, `containerStatuses: [{name: c, image: x, state: {waiting: {reason: ErrImagePull}}}]`)),
		parsePod(t, podWith("a", young, `containerStatuses: [{name: c, image: x, state: {waiting: {reason: ErrImagePull}}}]`)),
		parsePod(t, podWith("A", young, `phase: Pending`)),
	}
	if got := worstPod(pods, now); !strings.HasPrefix(got.message, "pod a,") {
		t.Errorf("got %q", got.message)
	}
}
