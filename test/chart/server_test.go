// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	"ksit.io/ksit/test/env"
)

// foreign are API groups of operators, which the API server of the test has not.
var foreign = []string{"monitoring.coreos.com", "cert-manager.io"}

// host is a real API server with KSIT's namespace, which admits pods of the standard
// restricted only.
type host struct {
	*env.Cluster
	dynamic   dynamic.Interface
	discovery discovery.DiscoveryInterface
	mapper    meta.RESTMapper
}

func startHost(t *testing.T) *host {
	t.Helper()
	cluster := env.Start(t, env.Options{})
	client, err := dynamic.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{Cluster: cluster, dynamic: client, discovery: cluster.Client.Discovery()}
	h.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(h.discovery))
	_, err = cluster.Client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   namespace,
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// waitForItself waits until the API server has made the objects that are its own.
func (h *host) waitForItself(t *testing.T) {
	t.Helper()
	for {
		_, err := h.Client.CoreV1().Services(metav1.NamespaceDefault).Get(t.Context(), "kubernetes", metav1.GetOptions{})
		if err == nil {
			return
		}
		if !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (h *host) apply(t *testing.T, object *unstructured.Unstructured, options metav1.PatchOptions) {
	t.Helper()
	kind := object.GroupVersionKind()
	mapping, err := h.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	var client dynamic.ResourceInterface = h.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		client = h.dynamic.Resource(mapping.Resource).Namespace(object.GetNamespace())
	}
	content, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	force := true
	options.Force, options.FieldManager, options.FieldValidation = &force, "test", metav1.FieldValidationStrict
	if _, err := client.Patch(t.Context(), object.GetName(), "application/apply-patch+yaml", content, options); err != nil {
		t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

// TestAPIServerTakesIt has a real API server look at everything that the chart makes,
// fields that it does not know included, and at the pods.
func TestAPIServerTakesIt(t *testing.T) {
	h := startHost(t)
	for name, file := range cases(t) {
		t.Run(name, func(t *testing.T) {
			all := render(t, "-f", file)
			for _, object := range all {
				switch {
				case slices.Contains(foreign, object.GroupVersionKind().Group):
				case object.GetKind() == "ServiceAccount":
					// Pods are refused without.
					h.apply(t, object, metav1.PatchOptions{})
				default:
					h.apply(t, object, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
				}
			}
			for _, pod := range pods(t, all) {
				_, err := h.Client.CoreV1().Pods(namespace).Create(t.Context(), withVolume(&pod), metav1.CreateOptions{
					DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict,
				})
				if err != nil {
					t.Errorf("the pod of %s: %v", pod.Name, err)
				}
			}
		})
	}
}

// withVolume gives a pod the volume that a StatefulSet's controller would.
func withVolume(pod *corev1.Pod) *corev1.Pod {
	for _, mount := range pod.Spec.Containers[0].VolumeMounts {
		if !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }) {
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{
				Name:         mount.Name,
				VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: mount.Name}},
			})
		}
	}
	return pod
}
