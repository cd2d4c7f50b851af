// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package env_test

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"ksit.io/ksit/test/env"
)

func TestDeploymentBecomesAvailable(t *testing.T) {
	c := env.Start(t, env.Options{Controllers: true})
	labels := map[string]string{"app": "a"}
	_, err := c.Client.AppsV1().Deployments("default").Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "a"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	err = wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		d, err := c.Client.AppsV1().Deployments("default").Get(ctx, "a", metav1.GetOptions{})
		return err == nil && d.Status.AvailableReplicas == 1, err
	})
	if err != nil {
		t.Fatalf("the Deployment is not available: %v", err)
	}
}
