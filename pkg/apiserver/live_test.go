// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kube-openapi/pkg/spec3"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// unanswered is what looks at clusters in the fixture, which has none.
type unanswered struct{}

func (unanswered) Health(_ context.Context, i *v1alpha1.Installation) (*v1alpha1.InstallationHealth, error) {
	return &v1alpha1.InstallationHealth{ObjectMeta: metav1.ObjectMeta{Name: i.Name}, State: v1alpha1.CheckUnknown}, nil
}

func (unanswered) History(context.Context, *v1alpha1.Installation) (*v1alpha1.InstallationHistory, error) {
	return nil, apierrors.NewServiceUnavailable("there are no clusters")
}

func (unanswered) Manifest(_ context.Context, _ *v1alpha1.Installation, options *v1alpha1.InstallationManifestOptions) (*v1alpha1.InstallationManifest, error) {
	return &v1alpha1.InstallationManifest{Releases: []v1alpha1.ReleaseManifest{{Name: options.Release, Revision: options.Revision}}}, nil
}

func (unanswered) Diff(context.Context, *v1alpha1.Installation, *v1alpha1.Integration, bool) (*v1alpha1.InstallationDiffStatus, error) {
	return nil, apierrors.NewTooManyRequests("there is no place", 5)
}

type unansweredTargets struct{}

func (unansweredTargets) Health(_ context.Context, target *v1alpha1.IntegrationTarget) (*v1alpha1.IntegrationTargetHealth, error) {
	return &v1alpha1.IntegrationTargetHealth{ObjectMeta: metav1.ObjectMeta{Name: target.Name}, Endpoint: "https://" + target.Spec.ClusterName}, nil
}

// TestLive asks through the typed client, and over the wire.
func TestLive(t *testing.T) {
	t.Parallel()
	f := start(t)
	api := f.ksit.KsitV1alpha1()
	if _, err := api.Integrations("default").Create(t.Context(), newIntegration("argocd"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	inst := &v1alpha1.Installation{ObjectMeta: metav1.ObjectMeta{Name: "argocd.one"},
		Spec: v1alpha1.InstallationSpec{Integration: "argocd", Target: "one", Type: v1alpha1.IntegrationTypeArgoCD}}
	if _, err := api.Installations("default").Create(t.Context(), inst, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	target := &v1alpha1.IntegrationTarget{ObjectMeta: metav1.ObjectMeta{Name: "one"}, Spec: v1alpha1.IntegrationTargetSpec{KubeconfigSecret: "one"}}
	if _, err := api.IntegrationTargets("default").Create(t.Context(), target, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	before := f.revision(t)

	health, err := api.Installations("default").GetHealth(t.Context(), "argocd.one", metav1.GetOptions{})
	if err != nil || health.State != v1alpha1.CheckUnknown || health.Name != "argocd.one" {
		t.Errorf("health of an Installation: %+v, %v", health, err)
	}
	if health, err := api.IntegrationTargets("default").GetHealth(t.Context(), "one", metav1.GetOptions{}); err != nil || health.Endpoint != "https://one" {
		t.Errorf("health of a target: %+v, %v", health, err)
	}
	if _, err := api.Installations("default").GetHistory(t.Context(), "argocd.one", metav1.GetOptions{}); !apierrors.IsServiceUnavailable(err) {
		t.Errorf("history: %v", err)
	}
	if _, err := api.Installations("default").GetHealth(t.Context(), "nobody", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("of what is not there: %v", err)
	}
	// The typed client would come again ten times, when it is told to.
	err = api.RESTClient().Post().Namespace("default").Resource("installations").Name("argocd.one").SubResource("diff").
		Body(&v1alpha1.InstallationDiff{}).MaxRetries(0).Do(t.Context()).Error()
	if seconds, ok := apierrors.SuggestsClientDelay(err); !apierrors.IsTooManyRequests(err) || !ok || seconds != 5 {
		t.Errorf("diff: %v", err)
	}
	const path = "/apis/ksit.io/v1alpha1/namespaces/default/installations/argocd.one/manifest"
	response := f.raw(t, path+"?release=base&revision=3", http.Header{"Accept": {"application/json"}})
	defer response.Body.Close()
	manifest := decode[v1alpha1.InstallationManifest](t, response)
	if r := manifest.Releases[0]; r.Name != "base" || r.Revision != 3 || manifest.Kind != "InstallationManifest" {
		t.Errorf("manifest: %+v", manifest)
	}
	wrong := f.raw(t, path+"?revision=three", nil)
	defer wrong.Body.Close()
	if wrong.StatusCode != http.StatusBadRequest {
		t.Errorf("a revision that is no number gives %s", wrong.Status)
	}
	if after := f.revision(t); after != before {
		t.Errorf("something was written: etcd went from revision %d to %d", before, after)
	}
}

// revision is that of the last write of anything to the store.
func (f *fixture) revision(t *testing.T) int64 {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{f.etcd.Endpoint()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	response, err := client.Get(t.Context(), "/registry/ksit.io", clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortDescend), clientv3.WithLimit(1))
	if err != nil || len(response.Kvs) == 0 {
		t.Fatalf("reading etcd: %v, %v", response, err)
	}
	return response.Kvs[0].ModRevision
}

// TestOpenAPIOfLive checks that clients can learn of the subresources.
func TestOpenAPIOfLive(t *testing.T) {
	t.Parallel()
	f := start(t)
	response := f.raw(t, "/openapi/v3/apis/ksit.io/v1alpha1", http.Header{"Accept": {"application/json"}})
	defer response.Body.Close()
	document := decode[spec3.OpenAPI](t, response)
	const installations = "/apis/ksit.io/v1alpha1/namespaces/{namespace}/installations/{name}/"
	for path, kind := range map[string]string{
		installations + "health":   "InstallationHealth",
		installations + "history":  "InstallationHistory",
		installations + "manifest": "InstallationManifest",
		installations + "diff":     "InstallationDiff",
		"/apis/ksit.io/v1alpha1/namespaces/{namespace}/integrationtargets/{name}/health": "IntegrationTargetHealth",
	} {
		item := document.Paths.Paths[path]
		if item == nil {
			t.Errorf("there is no path %s", path)
			continue
		}
		operation := item.Get
		if kind == "InstallationDiff" {
			operation = item.Post
		}
		if operation == nil {
			t.Errorf("%s has no such operation", path)
			continue
		}
		answer := operation.Responses.StatusCodeResponses[http.StatusOK]
		if answer == nil || !strings.HasSuffix(answer.Content["application/json"].Schema.Ref.String(), "io.ksit.v1alpha1."+kind) {
			t.Errorf("%s does not answer with %s", path, kind)
		}
		if kind != "InstallationManifest" {
			continue
		}
		for _, name := range []string{"release", "revision"} {
			if !slices.ContainsFunc(append(item.Parameters, operation.Parameters...), func(p *spec3.Parameter) bool { return p.Name == name }) {
				t.Errorf("%s does not know the parameter %s", path, name)
			}
		}
	}
}
