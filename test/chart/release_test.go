// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/discovery"
)

var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// TestRelease installs, upgrades, goes over to the other mode and uninstalls, with a
// real API server: what KSIT fills in at run time stays, and nothing else does.
func TestRelease(t *testing.T) {
	h := startHost(t)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, h.Kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		return helm(t, append(args, "--namespace", namespace, "--kubeconfig", kubeconfig)...)
	}
	must := func(args ...string) {
		t.Helper()
		if out, err := run(args...); err != nil {
			t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	h.waitForItself(t)
	before := h.inventory(t)
	must("install", "ksit", path, "--set", "image.registry=registry.example.com", "--set", "image.repository=ksit/ksit-controller", "--set", "image.tag=1.0.0")
	h.fill(t)

	must("upgrade", "ksit", path, "--set", "logging.format=json")
	h.filled(t)
	if out, err := run("upgrade", "ksit", path, "--set", "persistence.size=16Gi"); err == nil || !strings.Contains(out, "kubectl patch pvc data-ksit-server-0 -n ksit-system") {
		t.Errorf("another size: %v\n%s", err, out)
	}

	must("upgrade", "ksit", path, "-f", cases(t)["ha"])
	h.filled(t)
	if _, err := h.Client.AppsV1().Deployments(namespace).Get(t.Context(), "ksit-apiserver", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if list, err := h.Client.AppsV1().StatefulSets(namespace).List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) > 0 {
		t.Errorf("of the former mode %d StatefulSets are left (%v)", len(list.Items), err)
	}

	must("uninstall", "ksit")
	if diff := cmp.Diff(before, h.inventory(t)); diff != "" {
		t.Errorf("the cluster is another one after it (-before +after):\n%s", diff)
	}
}

// fill writes what KSIT would.
func (h *host) fill(t *testing.T) {
	t.Helper()
	for _, name := range []string{"ksit-ca", "ksit-serving"} {
		secret, err := h.Client.CoreV1().Secrets(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(secret.Data) > 0 {
			t.Errorf("the chart puts %d keys into %s", len(secret.Data), name)
		}
		secret.Data = map[string][]byte{"tls.key": []byte("key")}
		if _, err := h.Client.CoreV1().Secrets(namespace).Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	patch := []byte(`{"spec":{"caBundle":"Y2E="}}`)
	if _, err := h.dynamic.Resource(apiServices).Patch(t.Context(), "v1alpha1.ksit.io", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// filled makes sure that what fill wrote is there.
func (h *host) filled(t *testing.T) {
	t.Helper()
	for _, name := range []string{"ksit-ca", "ksit-serving"} {
		secret, err := h.Client.CoreV1().Secrets(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if string(secret.Data["tls.key"]) != "key" {
			t.Errorf("%s has %d keys after an upgrade", name, len(secret.Data))
		}
	}
	service, err := h.dynamic.Resource(apiServices).Get(t.Context(), "v1alpha1.ksit.io", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if bundle, _, _ := unstructured.NestedString(service.Object, "spec", "caBundle"); bundle != "Y2E=" {
		t.Errorf("caBundle is %q after an upgrade", bundle)
	}
}

// inventory lists every object of the cluster by its name, but for Events.
func (h *host) inventory(t *testing.T) []string {
	t.Helper()
	lists, err := h.discovery.ServerPreferredResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		t.Fatal(err)
	}
	found := sets.New[string]()
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, resource := range list.APIResources {
			if !sets.New(resource.Verbs...).HasAll("list", "delete") || resource.Kind == "Event" {
				continue
			}
			objects, err := h.dynamic.Resource(version.WithResource(resource.Name)).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatalf("listing %s: %v", resource.Name, err)
			}
			for _, object := range objects.Items {
				found.Insert(resource.Name + " " + object.GetNamespace() + "/" + object.GetName())
			}
		}
	}
	return sets.List(found)
}
