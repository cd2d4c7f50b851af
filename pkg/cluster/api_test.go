// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/object"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/test/env"
)

func connect(t *testing.T, kubeconfig []byte) *cluster.Connection {
	t.Helper()
	set := cluster.NewSet(cluster.Options{})
	t.Cleanup(set.Close)
	c, err := set.Connect(t.Context(), types.NamespacedName{Namespace: "team", Name: "one"}, kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRealAPI(t *testing.T) {
	target := env.Start(t, env.Options{})
	t.Run("probe", func(t *testing.T) { testProbe(t, target) })
	t.Run("probe with few rights", func(t *testing.T) { testProbeFewRights(t, target) })
	t.Run("mapper", func(t *testing.T) { testMapper(t, target) })
	t.Run("tenant", func(t *testing.T) { testTenant(t, target) })
	t.Run("workloads", func(t *testing.T) { testWorkloads(t, target) })
}

func testProbe(t *testing.T, target *env.Cluster) {
	ctx := t.Context()
	for _, ready := range []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{GenerateName: "n"}}
		node, err := target.Client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
		if _, err := target.Client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	report := connect(t, target.Kubeconfig).Probe(ctx)
	if !report.Healthy() || !strings.HasPrefix(report.Version, "v1.") || report.Latency <= 0 {
		t.Errorf("got %+v", report)
	}
	if diff := cmp.Diff(&v1alpha1.NodeCounts{Ready: 1, Total: 2}, report.Nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
}

func testProbeFewRights(t *testing.T, target *env.Cluster) {
	ctx := t.Context()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "few", Namespace: "default"}}
	if _, err := target.Client.CoreV1().ServiceAccounts("default").Create(ctx, account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	token, err := target.Client.CoreV1().ServiceAccounts("default").CreateToken(ctx, "few", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, withToken(t, target.Kubeconfig, token.Status.Token))
	if got, want := c.Info().ExpiresAt, token.Status.ExpirationTimestamp.Time; !got.Equal(want) {
		t.Errorf("the token expires at %v, want %v", got, want)
	}
	report := c.Probe(ctx)
	if report.Reachable.Status != metav1.ConditionTrue || report.CredentialsValid.Status != metav1.ConditionTrue {
		t.Errorf("got %+v", report)
	}
	if report.Authorized.Reason != "MissingPermissions" || !strings.Contains(report.Authorized.Message, "create namespaces, patch namespaces") {
		t.Errorf("got %+v", report.Authorized)
	}
	if report.Nodes != nil {
		t.Errorf("counted nodes that it may not list: %+v", report.Nodes)
	}

	if got := connect(t, withToken(t, target.Kubeconfig, "x")).Probe(ctx); got.CredentialsValid.Reason != "Refused" {
		t.Errorf("got %+v", got)
	}
}

// withToken returns the kubeconfig with a token for its credentials.
func withToken(t *testing.T, kubeconfig []byte, token string) []byte {
	t.Helper()
	config, err := clientcmd.Load(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for name := range config.AuthInfos {
		config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	}
	data, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func testMapper(t *testing.T, target *env.Cluster) {
	c := connect(t, target.Kubeconfig)
	mapper := c.RESTMapper()
	kind := schema.GroupKind{Group: "cluster.test", Kind: "Thing"}
	if _, err := mapper.RESTMapping(kind); !meta.IsNoMatchError(err) {
		t.Fatalf("got %v", err)
	}
	if _, err := mapper.RESTMapping(schema.GroupKind{Group: "apps", Kind: "Deployment"}); err != nil {
		t.Fatal(err)
	}
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "things.cluster.test"},
		"spec": map[string]any{
			"group": "cluster.test", "scope": "Namespaced",
			"names": map[string]any{"plural": "things", "kind": "Thing"},
			"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object"}}}},
		},
	}}
	definitions := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	if _, err := c.Dynamic().Resource(definitions).Create(t.Context(), definition, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		// As often as anybody likes: fetches are bounded, resets are not.
		for range 100 {
			mapper.Reset()
		}
		if _, err := mapper.RESTMapping(kind); err == nil {
			return
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func testWorkloads(t *testing.T, target *env.Cluster) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := connect(t, target.Kubeconfig)
	changes := make(chan object.ObjMetadata, 100)
	remove := c.OnWorkloadChange(func(id object.ObjMetadata) { changes <- id })

	replicas := int32(0)
	labels := map[string]string{"a": "b"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default"},
		Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}},
	}
	want := object.ObjMetadata{GroupKind: schema.GroupKind{Group: "apps", Kind: "Deployment"}, Namespace: "default", Name: "web"}
	expect := func(what string) {
		t.Helper()
		select {
		case got := <-changes:
			if got != want {
				t.Errorf("%s: got %v", what, got)
			}
		case <-ctx.Done():
			t.Fatalf("%s: no change seen", what)
		}
	}
	// The watch begins with now, so it is given a moment to begin.
	time.Sleep(time.Second)
	deployment, err := target.Client.AppsV1().Deployments("default").Create(ctx, deployment, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	expect("create")
	deployment.Status.ObservedGeneration = 1
	if _, err = target.Client.AppsV1().Deployments("default").UpdateStatus(ctx, deployment, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	expect("status")

	target.StopAPI()
	target.StartAPI()
	// It goes on from where it was, so that what happened meanwhile is seen.
	if err := target.Client.AppsV1().Deployments("default").Delete(ctx, "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	expect("delete after a restart")

	remove()
	deployment.ResourceVersion, deployment.UID = "", ""
	if _, err := target.Client.AppsV1().Deployments("default").Create(ctx, deployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	select {
	case id := <-changes:
		t.Errorf("called after remove: %v", id)
	default:
	}
}
