// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/test/bed/internal/toolchain"
)

// defaultNodes is enough for what spreads its replicas.
const defaultNodes = 3

// noProxy keeps clients of the bed away from the proxies of the outside world.
func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

func nodeName(number int) string { return fmt.Sprintf("node-%d", number) }

// createStorageClass makes the one that a cluster of the world has.
func (c *Cluster) createStorageClass(ctx context.Context) error {
	client, err := c.Client()
	if err != nil {
		return err
	}
	class := &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "standard",
			Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		Provisioner: provisioner,
	}
	if _, err := client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the storage class: %w", err)
	}
	return nil
}

// createNodes registers the nodes that kwok plays.
func (c *Cluster) createNodes(ctx context.Context) error {
	client, err := c.Client()
	if err != nil {
		return err
	}
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("64"),
		corev1.ResourceMemory:           resource.MustParse("256Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("500Gi"),
		corev1.ResourcePods:             resource.MustParse("1000"),
	}
	for i := range c.bed.options.Nodes {
		name := nodeName(i + 1)
		node := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{
				Name: name,
				Labels: map[string]string{
					corev1.LabelHostname:     name,
					corev1.LabelOSStable:     "linux",
					corev1.LabelArchStable:   "amd64",
					corev1.LabelTopologyZone: fmt.Sprintf("zone-%d", i%3+1),
				},
				Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
			},
			Status: corev1.NodeStatus{
				Capacity:    capacity,
				Allocatable: capacity,
				Phase:       corev1.NodeRunning,
				NodeInfo: corev1.NodeSystemInfo{
					KubeletVersion:          toolchain.KubernetesVersion,
					KubeProxyVersion:        toolchain.KubernetesVersion,
					OperatingSystem:         "linux",
					Architecture:            "amd64",
					OSImage:                 "played by kwok",
					ContainerRuntimeVersion: "kwok",
				},
			},
		}
		if _, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating node %s: %w", name, err)
		}
	}
	return nil
}

// nodeLog is the log of what makes nodes ready.
func (c *Cluster) nodeLog() string {
	if c.node != nil {
		return c.node.kubelet.LogFile()
	}
	return c.Log(Kwok)
}

// waitForNodes waits until all nodes are ready, of which there is one at least.
func (c *Cluster) waitForNodes(ctx context.Context) error {
	client, err := c.Client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return poll(ctx, 100*time.Millisecond, func(ctx context.Context) error {
		list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		if len(list.Items) == 0 {
			return fmt.Errorf("no node has registered, see %s", c.nodeLog())
		}
		for _, node := range list.Items {
			if !nodeReady(&node) {
				return fmt.Errorf("node %s is not ready, see %s", node.Name, c.nodeLog())
			}
		}
		return nil
	})
}

// nodeReady also asks that the taint is gone which keeps pods off a new node.
func nodeReady(node *corev1.Node) bool {
	if len(node.Spec.Taints) > 0 {
		return false
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// waitForServiceAccount waits for the first thing that the controller manager
// makes; before it, no pod can be created.
func (c *Cluster) waitForServiceAccount(ctx context.Context) error {
	client, err := c.Client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return poll(ctx, 100*time.Millisecond, func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return errors.New("the controller manager has not made the default service account, see " + c.Log(ControllerManager))
		}
		return err
	})
}
