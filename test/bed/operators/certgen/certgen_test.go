// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package certgen

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTaskOf(t *testing.T) {
	const ours = "registry.k8s.io/ingress-nginx/kube-webhook-certgen:v1"
	for _, tc := range []struct {
		name, image string
		args        []string
		want        task
		ok          bool
	}{
		{
			name: "create", image: ours,
			args: []string{"create", "--host=a,a.b.svc", "--namespace=b", "--secret-name=s"},
			want: task{command: "create", namespace: "b", secret: "s", hosts: "a,a.b.svc"}, ok: true,
		},
		{
			name: "patch", image: ours,
			args: []string{"patch", "--webhook-name=w", "--patch-failure-policy=", "--secret-name=s"},
			want: task{command: "patch", namespace: "jobs", secret: "s", webhook: "w"}, ok: true,
		},
		{name: "no secret", image: ours, args: []string{"create"}},
		{name: "another image", image: "registry.example.com/hook:1", args: []string{"create", "--secret-name=s"}},
		{name: "no arguments", image: ours},
	} {
		t.Run(tc.name, func(t *testing.T) {
			job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "jobs"}}
			job.Spec.Template.Spec.Containers = []corev1.Container{{Image: tc.image, Args: tc.args}}
			got, ok := taskOf(job)
			if ok != tc.ok || ok && got != tc.want {
				t.Errorf("got %+v, %v; want %+v, %v", got, ok, tc.want, tc.ok)
			}
		})
	}
}
