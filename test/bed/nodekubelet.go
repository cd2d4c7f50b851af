// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// RestartKubelet stops the kubelet and starts it again. Pods go on meanwhile. It
// returns when the node has said since then that it is ready, and the kubelet knows
// its pods again: before, it denies that they exist.
func (n *Node) RestartKubelet(ctx context.Context) error {
	if err := n.kubelet.Stop(ctx); err != nil {
		return err
	}
	begin := time.Now().Truncate(time.Second)
	if err := n.kubelet.Start(); err != nil {
		return err
	}
	check := func(ctx context.Context) error { return n.looksAfterPods(ctx, begin) }
	if err := waitFor(ctx, n.kubelet, 2*time.Minute, check); err != nil {
		return fmt.Errorf("waiting for the kubelet, whose log is %s: %w", n.kubelet.LogFile(), err)
	}
	return nil
}

// looksAfterPods tells whether the kubelet has renewed its lease since begin, its
// node is ready, and it knows its pods.
func (n *Node) looksAfterPods(ctx context.Context, begin time.Time) error {
	client, err := n.bed.Host.Client()
	if err != nil {
		return err
	}
	lease, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, n.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if !renewedSince(lease, begin) {
		return errors.New("it has not said that it is there")
	}
	node, err := client.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if !nodeReady(node) {
		return errors.New("its node is not ready")
	}
	return n.knowsPods(ctx, client)
}

func renewedSince(lease *coordinationv1.Lease, begin time.Time) bool {
	return lease.Spec.RenewTime != nil && !lease.Spec.RenewTime.Time.Before(begin)
}

// knowsPods compares what the kubelet says that it looks after with what it should.
func (n *Node) knowsPods(ctx context.Context, client kubernetes.Interface) error {
	data, err := client.CoreV1().RESTClient().Get().Resource("nodes").Name(n.Name).SubResource("proxy").Suffix("pods").DoRaw(ctx)
	if err != nil {
		return err
	}
	var known corev1.PodList
	if err := json.Unmarshal(data, &known); err != nil {
		return fmt.Errorf("reading the kubelet's pods: %w", err)
	}
	knows := map[string]bool{}
	for _, pod := range known.Items {
		knows[string(pod.UID)] = true
	}
	list, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + n.Name})
	if err != nil {
		return err
	}
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil && !knows[string(pod.UID)] {
			return fmt.Errorf("it does not know the pod %s/%s", pod.Namespace, pod.Name)
		}
	}
	return nil
}
