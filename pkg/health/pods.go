// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

const (
	// podsPerWorkload bounds how many pods of a workload are looked at.
	podsPerWorkload = 20
	// unschedulableGrace is how long a pod may find no node: a cluster that
	// grows on demand needs some time.
	unschedulableGrace = time.Minute
)

// explain replaces the verdicts on workloads that are not ready by those of
// their pods, and returns how many it looked at: maxExplained at most.
func (r *reader) explain(ctx context.Context, seen []observation, verdicts []verdict, now time.Time) int {
	var wg sync.WaitGroup
	looked := 0
	for i, o := range seen {
		if o.object == nil || !isWorkload(o.id.GroupKind) || verdicts[i].state == v1alpha1.CheckPassed || looked >= maxExplained {
			continue
		}
		looked++
		wg.Go(func() { verdicts[i] = r.explainWorkload(ctx, o.object, verdicts[i], now) })
	}
	wg.Wait()
	return looked
}

// explainWorkload judges a workload that is not ready by its pods, which tell
// what it is that keeps it. What they do not tell is as it was.
func (r *reader) explainWorkload(ctx context.Context, u *unstructured.Unstructured, v verdict, now time.Time) verdict {
	selector, found, _ := unstructured.NestedMap(u.Object, "spec", "selector")
	if !found {
		return v
	}
	labelSelector := metav1.LabelSelector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(selector, &labelSelector); err != nil {
		return v
	}
	query, err := metav1.LabelSelectorAsSelector(&labelSelector)
	if err != nil || query.Empty() {
		return v
	}
	if err := r.acquire(ctx); err != nil {
		return v
	}
	defer r.release()
	pods, err := r.conn.Kubernetes().CoreV1().Pods(u.GetNamespace()).List(ctx, metav1.ListOptions{
		LabelSelector: query.String(),
		Limit:         podsPerWorkload,
	})
	if err != nil {
		return v
	}
	return judgeWorkload(u, v, pods.Items, now)
}

// judgeWorkload joins what a workload and its pods say.
func judgeWorkload(u *unstructured.Unstructured, v verdict, pods []corev1.Pod, now time.Time) verdict {
	if v.state == v1alpha1.CheckPassed {
		return v
	}
	pod := worstPod(pods, now)
	if pod.state == v1alpha1.CheckFailed {
		// The pod's reason is the cause, also of a deadline that passed.
		return pod
	}
	if failure := condition(u, "ReplicaFailure"); failure.status == "True" {
		return failed(orElse(failure.reason, "FailedCreate"), "its pods cannot be created: %s", failure.message)
	}
	if v.state == v1alpha1.CheckFailed {
		return v
	}
	if pod.state == v1alpha1.CheckProgressing {
		pod.message = shorten(v.message + "; " + pod.message)
		return pod
	}
	// There are too few pods, and all that there are work. Right after a
	// rollout began that is as it should be.
	if settled(u) && now.Sub(u.GetCreationTimestamp().Time) > startupGrace {
		v.state = v1alpha1.CheckFailed
	}
	return v
}

// worstPod returns the verdict on the pod that is in the worst state; among
// equals the first by name, for the verdict to be the same each time.
func worstPod(pods []corev1.Pod, now time.Time) verdict {
	pods = slices.Clone(pods)
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	worst := passed("")
	for i := range pods {
		if v := judgePod(&pods[i], now); rank(v.state) > rank(worst.state) {
			worst = v
		}
	}
	return worst
}

// judgePod says why a pod is not ready. Its words are chosen so that they stay
// the same while the trouble does: the kubelet's own change with every retry.
func judgePod(pod *corev1.Pod, now time.Time) verdict {
	if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || podReady(pod) {
		return passed("")
	}
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodScheduled || c.Status != corev1.ConditionFalse {
			continue
		}
		v := progressing(orElse(c.Reason, "NotScheduled"), "pod %s has no node: %s", pod.Name, c.Message)
		if now.Sub(pod.CreationTimestamp.Time) > unschedulableGrace {
			v.state = v1alpha1.CheckFailed
		}
		return v
	}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range statuses {
			if v := judgeContainer(pod.Name, &statuses[i]); v != nil {
				return *v
			}
		}
	}
	if pod.Status.Phase == corev1.PodFailed {
		return failed(orElse(pod.Status.Reason, "PodFailed"), "pod %s has ended in failure", pod.Name)
	}
	if now.Sub(pod.CreationTimestamp.Time) > startupGrace {
		return failed("PodNotReady", "pod %s runs and is not ready", pod.Name)
	}
	return progressing("PodStarting", "pod %s is starting", pod.Name)
}

// judgeContainer returns nil for a container that may yet become ready.
func judgeContainer(pod string, c *corev1.ContainerStatus) *verdict {
	if c.Ready {
		return nil
	}
	var v verdict
	if w := c.State.Waiting; w != nil {
		switch w.Reason {
		case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError":
			v = failed("ImagePullBackOff", "pod %s, container %s: the image %s cannot be pulled", pod, c.Name, c.Image)
			return &v
		case "InvalidImageName":
			v = failed(w.Reason, "pod %s, container %s: %s is no name of an image", pod, c.Name, c.Image)
			return &v
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError":
			v = failed(w.Reason, "pod %s, container %s cannot be started: %s", pod, c.Name, w.Message)
			return &v
		}
	}
	// Between two restarts it may be running or waiting; what it ended with
	// last says what the matter is.
	crashing := c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff"
	if !crashing && c.RestartCount < 2 {
		return nil
	}
	ended := c.LastTerminationState.Terminated
	if ended == nil {
		ended = c.State.Terminated
	}
	switch {
	case ended == nil:
		v = failed("CrashLoopBackOff", "pod %s, container %s is restarted again and again", pod, c.Name)
	case ended.Reason == "OOMKilled":
		v = failed("OOMKilled", "pod %s, container %s is restarted again and again: it needs more memory than its limit", pod, c.Name)
	case ended.ExitCode == 0 && !crashing:
		return nil
	default:
		v = failed("CrashLoopBackOff", "pod %s, container %s is restarted again and again, last ended with exit code %d", pod, c.Name, ended.ExitCode)
	}
	return &v
}

func podReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// rank orders states, the worst last.
func rank(state v1alpha1.CheckState) int {
	switch state {
	case v1alpha1.CheckPassed:
		return 0
	case v1alpha1.CheckProgressing:
		return 1
	case v1alpha1.CheckUnknown:
		return 2
	default:
		return 3
	}
}
