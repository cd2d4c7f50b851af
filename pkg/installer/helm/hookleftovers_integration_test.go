// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/installer"
)

// TestHookThatWasLeftMakesRoom has a hook of an operation that was cut short in
// the way of its successor, where the chart has hooks removed only once they have
// succeeded. An object of the same name that is no such hook stays.
func TestHookThatWasLeftMakesRoom(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	hook := func(kind string) string {
		return "apiVersion: v1\nkind: " + kind + "\nmetadata:\n  name: hooked\n  annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-delete-policy: hook-succeeded}\n"
	}
	b.charts.add(t, "leaves-hooks", "1.0.0", files{"templates/hook.yaml": hook("ConfigMap"), "templates/d.yaml": deployment})
	b.charts.add(t, "keeps-volumes", "1.0.0", files{"templates/d.yaml": deployment,
		"templates/hook.yaml": hook("PersistentVolumeClaim") + "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"})

	for name, test := range map[string]struct {
		chart, annotation string
		makesRoom         bool
	}{
		"its own hook":         {"leaves-hooks", "pre-install,pre-upgrade", true},
		"somebody's own thing": {"leaves-hooks", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := testNamespace(t, b)
			left := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "hooked", Annotations: map[string]string{"helm.sh/hook": test.annotation}}}
			if _, err := b.Client.CoreV1().ConfigMaps(namespace).Create(t.Context(), left, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			req := b.request(namespace, test.chart, "1.0.0")
			if test.makesRoom {
				b.apply(t, req)
				return
			}
			_, err := b.installer.Apply(t.Context(), b.conn, req)
			wantReason(t, err, installer.ReasonInstallFailed, false, "hooked")
			if _, err := b.Client.CoreV1().ConfigMaps(namespace).Get(t.Context(), "hooked", metav1.GetOptions{}); err != nil {
				t.Errorf("what is somebody else's was removed: %v", err)
			}
		})
	}
	t.Run("a volume stays", func(t *testing.T) {
		namespace := testNamespace(t, b)
		claim := &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Name: "hooked", Annotations: map[string]string{"helm.sh/hook": "pre-install,pre-upgrade"}},
			Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}}},
		}
		if _, err := b.Client.CoreV1().PersistentVolumeClaims(namespace).Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		_, err := b.installer.Apply(t.Context(), b.conn, b.request(namespace, "keeps-volumes", "1.0.0"))
		wantReason(t, err, installer.ReasonInstallFailed, false, "hooked")
	})
}

func testNamespace(t *testing.T, b *bench) string {
	t.Helper()
	made, err := b.Client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "hooks-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made.Name
}
