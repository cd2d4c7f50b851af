// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"context"
	"encoding/json"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// PodOutcome is an annotation of a pod (set in the pod template) that says what
// becomes of it: PodPending for ever, PodFailed, or when absent what its
// owner wants.
const (
	PodOutcome = "env.ksit.io/outcome"
	PodPending = "pending"
	PodFailed  = "failed"
)

// startControllers starts the controller manager and the player of kubelets.
func (c *Cluster) startControllers() {
	c.t.Helper()
	path := c.path("admin.kubeconfig")
	if err := os.WriteFile(path, c.Kubeconfig, 0o600); err != nil {
		c.t.Fatalf("writing the kubeconfig: %v", err)
	}
	c.start("kube-controller-manager",
		"--kubeconfig="+path, "--secure-port=0", "--leader-elect=false",
		"--kube-api-qps=500", "--kube-api-burst=1000",
		"--service-account-private-key-file="+c.path("ca.key"), "--root-ca-file="+c.path("ca.crt"))

	ctx, stop := context.WithCancel(context.Background())
	factory := informers.NewSharedInformerFactory(c.Client, 0)
	informer := factory.Core().V1().Pods().Informer()
	play := func(o any) {
		if pod, ok := o.(*corev1.Pod); ok {
			c.playKubelet(ctx, pod)
		}
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    play,
		UpdateFunc: func(_, o any) { play(o) },
	}); err != nil {
		c.t.Fatalf("watching pods: %v", err)
	}
	factory.Start(ctx.Done())
	c.t.Cleanup(func() {
		stop()
		factory.Shutdown()
	})
}

// playKubelet brings a pending pod to what becomes of it. What fails is made
// up for by the next event, or by the test's own deadline.
func (c *Cluster) playKubelet(ctx context.Context, pod *corev1.Pod) {
	if pod.DeletionTimestamp != nil || (pod.Status.Phase != corev1.PodPending && pod.Status.Phase != "") {
		return
	}
	status := corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &metav1.Time{Time: time.Now()}}
	if owner := metav1.GetControllerOf(pod); owner != nil && owner.Kind == "Job" {
		status.Phase = corev1.PodSucceeded
	}
	switch pod.Annotations[PodOutcome] {
	case PodPending:
		return
	case PodFailed:
		status.Phase = corev1.PodFailed
	}
	if status.Phase == corev1.PodRunning {
		now := metav1.Now()
		for _, t := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
			status.Conditions = append(status.Conditions, corev1.PodCondition{Type: t, Status: corev1.ConditionTrue, LastTransitionTime: now})
		}
	}
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		c.t.Errorf("encoding the status of pod %s: %v", pod.Name, err)
		return
	}
	_, _ = c.Client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
}
