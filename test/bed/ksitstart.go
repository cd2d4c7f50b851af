// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Start starts the process and waits until the host serves KSIT's API. The
// manifests are applied again, because a KSIT of the other mode may have been there
// meanwhile. The APIService is applied only when there is something behind it: the
// host looks at once then, and otherwise after half a minute.
func (k *KSIT) Start(ctx context.Context) error {
	if err := k.host.ApplyObjects(ctx, k.manifests...); err != nil {
		return err
	}
	if err := k.permitted(ctx); err != nil {
		return err
	}
	if err := k.Process.Start(); err != nil {
		return err
	}
	if err := waitFor(ctx, k.Process, 90*time.Second, k.ready); err != nil {
		return fmt.Errorf("waiting for KSIT, whose log is %s: %w", k.Process.LogFile(), err)
	}
	if err := k.host.ApplyObjects(ctx, k.apiService); err != nil {
		return err
	}
	if err := waitFor(ctx, k.Process, 90*time.Second, k.available); err != nil {
		return fmt.Errorf("waiting until the host serves KSIT's API: %w", err)
	}
	return nil
}

// permitted waits until the host knows of the rights that the manifests give: a
// program that is refused what it reads first would end, and nobody would start it
// again, as a kubelet does.
func (k *KSIT) permitted(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", k.Kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	var refused error
	err = wait.PollUntilContextTimeout(ctx, 250*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		_, refused = client.CoreV1().ConfigMaps("kube-system").Get(ctx, "extension-apiserver-authentication", metav1.GetOptions{})
		return refused == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting until %s/%s may read what it reads first: %w", k.Namespace, k.ServiceAccount, errors.Join(err, refused))
	}
	return nil
}

// ready asks KSIT itself whether it is.
func (k *KSIT) ready(ctx context.Context) error {
	authorities, err := k.authorities(ctx)
	if err != nil {
		return err
	}
	return getOK(ctx, k.URL+"/readyz", authorities)
}

var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// available asks the host whether it can reach KSIT, and whether it has taken
// KSIT's API into its discovery.
func (k *KSIT) available(ctx context.Context) error {
	client, err := dynamic.NewForConfig(k.host.config)
	if err != nil {
		return err
	}
	object, err := client.Resource(apiServices).Get(ctx, k.apiService.GetName(), metav1.GetOptions{})
	if err != nil {
		return err
	}
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, entry := range conditions {
		condition, _ := entry.(map[string]any)
		if condition["type"] == "Available" && condition["status"] != "True" {
			return fmt.Errorf("%v: %v", condition["reason"], condition["message"])
		}
	}
	if len(conditions) == 0 {
		return errors.New("the host has not looked yet")
	}
	typed, err := k.host.Client()
	if err != nil {
		return err
	}
	group, _, _ := unstructured.NestedString(object.Object, "spec", "group")
	version, _, _ := unstructured.NestedString(object.Object, "spec", "version")
	_, err = typed.Discovery().ServerResourcesForGroupVersion(group + "/" + version)
	return err
}
