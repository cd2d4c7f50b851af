// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/generated/clientset/versioned"
	"ksit.io/ksit/pkg/version"
)

func TestDiscovery(t *testing.T) {
	t.Parallel()
	f := start(t)
	client, err := discovery.NewDiscoveryClientForConfig(f.client)
	if err != nil {
		t.Fatal(err)
	}
	list, err := client.ServerResourcesForGroupVersion("ksit.io/v1alpha1")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range list.APIResources {
		got = append(got, fmt.Sprintf("%s %s namespaced=%t short=%v categories=%v verbs=%v hash=%t",
			r.Name, r.Kind, r.Namespaced, r.ShortNames, r.Categories, r.Verbs, r.StorageVersionHash != ""))
	}
	object := "verbs=[create delete deletecollection get list patch update watch] hash=true"
	status := "namespaced=true short=[] categories=[] verbs=[get patch update] hash=false"
	live := " namespaced=true short=[] categories=[] verbs=[get] hash=false"
	asked := "namespaced=true short=[] categories=[] verbs=[create] hash=false"
	want := []string{
		"installations Installation namespaced=true short=[inst] categories=[ksit] " + object,
		"installations/diff InstallationDiff " + asked,
		"installations/health InstallationHealth" + live,
		"installations/history InstallationHistory" + live,
		"installations/log InstallationLog namespaced=true short=[] categories=[] verbs=[create get] hash=false",
		"installations/manifest InstallationManifest" + live,
		"installations/reconcile ReconcileRequest " + asked,
		"installations/rollback RollbackRequest " + asked,
		"installations/status Installation " + status,
		"integrations Integration namespaced=true short=[intg] categories=[ksit] " + object,
		"integrations/reconcile ReconcileRequest " + asked,
		"integrations/status Integration " + status,
		"integrationtargets IntegrationTarget namespaced=true short=[itgt] categories=[ksit] " + object,
		"integrationtargets/health IntegrationTargetHealth" + live,
		"integrationtargets/reconcile ReconcileRequest " + asked,
		"integrationtargets/status IntegrationTarget " + status,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("discovery (-want +got):\n%s", diff)
	}
}

// TestVersionInDiscovery reads the version where clients behind an aggregation layer
// find it at once.
func TestVersionInDiscovery(t *testing.T) {
	t.Parallel()
	f := start(t)
	for path, want := range map[string]string{
		"/apis/ksit.io/v1alpha1":              version.Get().GitVersion,
		"/apis/ksit.io/v1alpha1/integrations": "",
	} {
		response := f.raw(t, path, nil)
		defer response.Body.Close()
		if got := response.Header.Get(version.Header); response.StatusCode != http.StatusOK || got != want {
			t.Errorf("%s: %s with the version %q, want %q", path, response.Status, got, want)
		}
	}
}

func TestOnlyTheAuthorizedGetIn(t *testing.T) {
	t.Parallel()
	f := start(t)
	anonymous := rest.AnonymousClientConfig(f.client)
	client, err := versioned.NewForConfig(anonymous)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.KsitV1alpha1().Integrations("default").List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("an anonymous list gave %v, want it forbidden", err)
	}
}

func TestStatusAndSpecAreWrittenApart(t *testing.T) {
	t.Parallel()
	f := start(t)
	integrations := f.ksit.KsitV1alpha1().Integrations("default")
	made := newIntegration("apart")
	made.Status.Message = "set by the user"
	created, err := integrations.Create(t.Context(), made, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if created.Status.Message != "" {
		t.Error("a create set the status")
	}
	if created.Generation != 1 {
		t.Errorf("the generation of a new object is %d", created.Generation)
	}

	change := created.DeepCopy()
	change.Status.Message = "working"
	change.Spec.TargetClusters = []string{"two"}
	updated, err := integrations.UpdateStatus(t.Context(), change, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if updated.Status.Message != "working" || updated.Spec.TargetClusters[0] != "one" || updated.Generation != 1 {
		t.Errorf("an update of the status gave %+v", updated)
	}

	change = updated.DeepCopy()
	change.Status.Message = "forged"
	change.Spec.TargetClusters = []string{"two"}
	if updated, err = integrations.Update(t.Context(), change, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if updated.Status.Message != "working" || updated.Spec.TargetClusters[0] != "two" || updated.Generation != 2 {
		t.Errorf("an update of the spec gave %+v", updated)
	}

	if err := integrations.Delete(t.Context(), "apart", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := integrations.Get(t.Context(), "apart", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("getting a deleted object gave %v", err)
	}
}

// TestApplyOwnership applies spec and status by two managers and checks that
// neither comes to own what is the other's.
func TestApplyOwnership(t *testing.T) {
	t.Parallel()
	f := start(t)
	integrations := f.ksit.KsitV1alpha1().Integrations("default")
	apply := func(manager, body string, subresources ...string) *v1alpha1.Integration {
		t.Helper()
		body = `{"apiVersion":"ksit.io/v1alpha1","kind":"Integration","metadata":{"name":"applied","namespace":"default"},` + body + `}`
		result, err := integrations.Patch(t.Context(), "applied", types.ApplyPatchType, []byte(body),
			metav1.PatchOptions{FieldManager: manager}, subresources...)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	apply("user", `"spec":{"type":"generic","targetClusters":["one"],"autoInstall":{"enabled":true,"helmConfig":{`+
		`"repository":"https://charts.example.com","chart":"app","version":"1.0.0","valuesObject":{"a":{"b":1}}}}},"status":{"message":"forged"}`)
	// Two managers can own parts of the free-form values.
	apply("other", `"spec":{"type":"generic","targetClusters":["one"],"autoInstall":{"helmConfig":{"valuesObject":{"a":{"c":2}}}}}`)
	got := apply("controller", `"status":{"message":"working"}`, "status")

	if values := string(got.Spec.AutoInstall.HelmConfig.ValuesObject.Raw); values != `{"a":{"b":1,"c":2}}` {
		t.Errorf("valuesObject is %s", values)
	}
	if got.Status.Message != "working" {
		t.Errorf("the message is %q", got.Status.Message)
	}
	for _, entry := range got.ManagedFields {
		fields := string(entry.FieldsV1.Raw)
		if owns := strings.Contains(fields, `"f:status"`); owns != (entry.Manager == "controller") {
			t.Errorf("%s owns status: %t: %s", entry.Manager, owns, fields)
		}
		if owns := strings.Contains(fields, `"f:spec"`); owns != (entry.Manager != "controller") {
			t.Errorf("%s owns spec: %t: %s", entry.Manager, owns, fields)
		}
	}
}

func TestWatchListEndsWithBookmark(t *testing.T) {
	t.Parallel()
	f := start(t)
	integrations := f.ksit.KsitV1alpha1().Integrations("default")
	if _, err := integrations.Create(t.Context(), newIntegration("first"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	yes := true
	watcher, err := integrations.Watch(t.Context(), metav1.ListOptions{
		SendInitialEvents:    &yes,
		AllowWatchBookmarks:  true,
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	var got []string
	next := func() {
		t.Helper()
		select {
		case event := <-watcher.ResultChan():
			object, ok := event.Object.(*v1alpha1.Integration)
			if !ok {
				t.Fatalf("the watch sent %v", event)
			}
			end := object.Annotations[metav1.InitialEventsAnnotationKey]
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s", event.Type, object.Name, end)))
		case <-time.After(10 * time.Second):
			t.Fatalf("the watch is silent after %q", got)
		}
	}
	next()
	next()
	if _, err := integrations.Create(t.Context(), newIntegration("second"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	next()
	want := []string{string(watch.Added) + " first", string(watch.Bookmark) + "  true", string(watch.Added) + " second"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestFieldSelectors(t *testing.T) {
	t.Parallel()
	f := start(t)
	integrations := f.ksit.KsitV1alpha1().Integrations("default")
	for _, name := range []string{"argocd", "flux"} {
		made := newIntegration(name)
		made.Spec.Type = v1alpha1.IntegrationType(name)
		if _, err := integrations.Create(t.Context(), made, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := integrations.List(t.Context(), metav1.ListOptions{FieldSelector: "spec.type=flux"})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 || list.Items[0].Name != "flux" {
		t.Errorf("spec.type=flux selects %v", list.Items)
	}
	if _, err := integrations.List(t.Context(), metav1.ListOptions{FieldSelector: "spec.nosuch=x"}); !apierrors.IsBadRequest(err) {
		t.Errorf("an unknown field selector gave %v", err)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	f := start(t)
	if _, err := f.ksit.KsitV1alpha1().Integrations("default").Create(t.Context(), newIntegration("one"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	response := f.raw(t, "/apis/ksit.io/v1alpha1/integrations", http.Header{
		"Accept": {"application/json;as=Table;v=v1;g=meta.k8s.io"},
	})
	defer response.Body.Close()
	table := decode[metav1.Table](t, response)
	var columns []string
	for _, column := range table.ColumnDefinitions {
		if column.Priority == 0 {
			columns = append(columns, column.Name)
		}
	}
	if diff := cmp.Diff([]string{"Name", "Type", "Phase", "Targets", "Version", "Age"}, columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if len(table.Rows) != 1 {
		t.Errorf("%d rows", len(table.Rows))
	}
}

// TestStorageLayout pins where and how objects are kept: an upgrade must find
// them again.
func TestStorageLayout(t *testing.T) {
	t.Parallel()
	f := start(t)
	api := f.ksit.KsitV1alpha1()
	if _, err := api.Integrations("default").Create(t.Context(), newIntegration("kept"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := api.IntegrationTargets("default").Create(t.Context(), &v1alpha1.IntegrationTarget{
		ObjectMeta: metav1.ObjectMeta{Name: "kept"},
		Spec:       v1alpha1.IntegrationTargetSpec{KubeconfigSecret: "secret"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = api.Installations("default").Create(t.Context(), &v1alpha1.Installation{
		ObjectMeta: metav1.ObjectMeta{Name: "kept.kept"},
		Spec:       v1alpha1.InstallationSpec{Integration: "kept", Target: "kept", Type: "argocd"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}

	client, err := clientv3.New(clientv3.Config{Endpoints: []string{f.etcd.Endpoint()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, key := range []string{
		"/registry/ksit.io/integrations/default/kept",
		"/registry/ksit.io/integrationtargets/default/kept",
		"/registry/ksit.io/installations/default/kept.kept",
	} {
		got, err := client.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Kvs) != 1 {
			t.Errorf("nothing is kept at %s", key)
			continue
		}
		value := string(got.Kvs[0].Value)
		if !strings.HasPrefix(value, "k8s\x00") || !strings.Contains(value, "ksit.io/v1alpha1") {
			t.Errorf("%s is not kept as protobuf of ksit.io/v1alpha1: %.40q", key, value)
		}
	}
}

func TestProtobuf(t *testing.T) {
	t.Parallel()
	f := start(t)
	config := rest.CopyConfig(f.client)
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf
	client, err := versioned.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	integrations := client.KsitV1alpha1().Integrations("default")
	made := newIntegration("proto")
	made.Spec.AutoInstall.HelmConfig = &v1alpha1.HelmConfig{ValuesObject: &runtime.RawExtension{Raw: []byte(`{"a":[1,"b"]}`)}}
	if _, err := integrations.Create(t.Context(), made, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := integrations.Get(t.Context(), "proto", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if values := string(got.Spec.AutoInstall.HelmConfig.ValuesObject.Raw); values != `{"a":[1,"b"]}` {
		t.Errorf("valuesObject came back as %s", values)
	}
}
