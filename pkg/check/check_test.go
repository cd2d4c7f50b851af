// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package check_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/check"
	"ksit.io/ksit/test/env"
)

// TestWhatIsWrong asks a cluster in which KSIT is not as it should be. Where it is,
// the end-to-end tests ask.
func TestWhatIsWrong(t *testing.T) {
	cluster := env.Start(t, env.Options{})
	nobody := rest.CopyConfig(cluster.Config)
	nobody.Impersonate.UserName = "nobody"

	refused(t, cluster.Config, "not found", "KSIT is not installed in this cluster")
	refused(t, nobody, `User "nobody" cannot get resource "apiservices"`, "rights of who asks")

	register(t, cluster)
	refused(t, cluster.Config, "ServiceNotFound: ", "helm upgrade puts both right")

	cluster.StopAPI()
	refused(t, cluster.Config, "refused", "See docs/troubleshooting.md")
}

// refused checks that the first step fails, and what is said of it.
func refused(t *testing.T, config *rest.Config, why, advice string) {
	t.Helper()
	var report strings.Builder
	err := check.Run(t.Context(), check.Options{Host: config, Namespace: "default", Timeout: 3 * time.Second, Report: &report})
	if !errors.Is(err, check.ErrFailed) {
		t.Errorf("%v", err)
	}
	got := report.String()
	if !strings.HasPrefix(got, "✗ The APIService v1alpha1.ksit.io is not Available: ") || !strings.Contains(got, why) || !strings.Contains(got, advice) {
		t.Errorf("want %q and %q in the report:\n%s", why, advice, got)
	}
	if strings.Count(got, "✗") != 1 {
		t.Errorf("it went on after a failure:\n%s", got)
	}
}

// register registers the API with a Service that is not there, and waits until
// the aggregator has seen it.
func register(t *testing.T, cluster *env.Cluster) {
	t.Helper()
	client, err := dynamic.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	services := client.Resource(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"})
	_, err = services.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1",
		"kind":       "APIService",
		"metadata":   map[string]any{"name": "v1alpha1.ksit.io"},
		"spec": map[string]any{
			"group": "ksit.io", "version": "v1alpha1", "groupPriorityMinimum": int64(1000), "versionPriority": int64(10),
			"service":               map[string]any{"name": "ksit-apiserver", "namespace": "default"},
			"insecureSkipTLSVerify": true,
		},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		object, err := services.Get(t.Context(), "v1alpha1.ksit.io", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions"); len(conditions) > 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
