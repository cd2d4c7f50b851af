// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/registry/ksit/internal/registrytest"
)

func TestResources(t *testing.T) {
	backend := registrytest.New(t)
	info, err := StorageProvider{Live: &Live{}}.NewRESTStorage(backend.Set, backend.Getter)
	if err != nil {
		t.Fatal(err)
	}
	resources := info.VersionedResourcesStorageMap["v1alpha1"]
	for _, resource := range resources {
		t.Cleanup(resource.Destroy)
	}
	want := []string{
		"installations", "installations/diff", "installations/health", "installations/history", "installations/log", "installations/manifest",
		"installations/reconcile", "installations/rollback", "installations/status",
		"integrations", "integrations/reconcile", "integrations/status",
		"integrationtargets", "integrationtargets/health", "integrationtargets/reconcile", "integrationtargets/status",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(resources))); diff != "" {
		t.Errorf("resources (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]schema.GroupVersion{{Group: "ksit.io", Version: "v1alpha1"}}, info.PrioritizedVersions); diff != "" {
		t.Errorf("versions (-want +got)\n%s", diff)
	}
	for name, resource := range resources {
		if _, ok := resource.(rest.Patcher); !ok {
			// Nobody owns fields of what is only asked for or read.
			continue
		}
		// The server finds these by assertion, and says nothing when they are
		// missing: fields would then be owned by whoever does not decide them.
		fields, ok := resource.(rest.ResetFieldsStrategy)
		if !ok {
			t.Errorf("%s has no reset fields", name)
			continue
		}
		for version := range info.VersionedResourcesStorageMap {
			if fields.GetResetFields()[fieldpath.APIVersion("ksit.io/"+version)] == nil {
				t.Errorf("%s has no reset fields for %s", name, version)
			}
		}
		if _, ok := resource.(rest.TableConvertor); !ok {
			t.Errorf("%s has no columns", name)
		}
	}
}

// Where objects lie in etcd, and in which form, is as fixed as the API: what is
// stored today is read by every later KSIT.
func TestStorageKeys(t *testing.T) {
	backend := registrytest.New(t)
	resources, err := StorageProvider{}.newResources(backend.Set, backend.Getter)
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range resources {
		t.Cleanup(resource.Destroy)
	}
	objects := map[string]runtime.Object{
		"integrationtargets": &ksit.IntegrationTarget{
			ObjectMeta: metav1.ObjectMeta{Name: "prod-1"},
			Spec:       ksit.IntegrationTargetSpec{KubeconfigSecret: "prod-1"},
		},
		"integrations": &ksit.Integration{
			ObjectMeta: metav1.ObjectMeta{Name: "argocd"},
			Spec:       ksit.IntegrationSpec{Type: ksit.IntegrationTypeArgoCD, TargetClusters: []string{"prod-1"}},
		},
		"installations": &ksit.Installation{
			ObjectMeta: metav1.ObjectMeta{Name: "argocd.prod-1"},
			Spec:       ksit.InstallationSpec{Integration: "argocd", Target: "prod-1", Type: ksit.IntegrationTypeArgoCD},
		},
	}
	ctx := genericapirequest.WithNamespace(context.Background(), "team-a")
	for resource, object := range objects {
		if _, err := resources[resource].(rest.Creater).Create(ctx, object, rest.ValidateAllObjectFunc, &metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	log := resources["installations/log"].(rest.NamedCreater)
	lines := &ksit.InstallationLog{Lines: []ksit.LogLine{{Message: "said"}}}
	if _, err := log.Create(ctx, "argocd.prod-1", lines, rest.ValidateAllObjectFunc, &metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	response, err := backend.Etcd.Client.Get(ctx, registrytest.Prefix, clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, pair := range response.Kvs {
		object, kind, err := backend.Set.Codecs.UniversalDeserializer().Decode(pair.Value, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", pair.Key, err)
		}
		got[string(pair.Key)] = kind.GroupVersion().String() + " " + kind.Kind
		if strings.Contains(string(pair.Key), "/integrations/") && object.(*v1alpha1.Integration).Name != "argocd" {
			t.Errorf("%s holds %v", pair.Key, object)
		}
	}
	want := map[string]string{
		"/registry/ksit.io/integrationtargets/team-a/prod-1":      "ksit.io/v1alpha1 IntegrationTarget",
		"/registry/ksit.io/integrations/team-a/argocd":            "ksit.io/v1alpha1 Integration",
		"/registry/ksit.io/installations/team-a/argocd.prod-1":    "ksit.io/v1alpha1 Installation",
		"/registry/ksit.io/installationlogs/team-a/argocd.prod-1": "ksit.io/v1alpha1 InstallationLog",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// failing is a getter that has no storage for one resource.
type failing struct {
	generic.RESTOptionsGetter
	resource string
}

var errNoStorage = errors.New("no storage")

func (f failing) GetRESTOptions(resource schema.GroupResource, example runtime.Object) (generic.RESTOptions, error) {
	if resource.Resource == f.resource {
		return generic.RESTOptions{}, errNoStorage
	}
	return f.RESTOptionsGetter.GetRESTOptions(resource, example)
}

func TestFailure(t *testing.T) {
	backend := registrytest.New(t)
	for _, resource := range []string{"integrationtargets", "integrations", "installations", "installationlogs"} {
		_, err := StorageProvider{}.NewRESTStorage(backend.Set, failing{backend.Getter, resource})
		if !errors.Is(err, errNoStorage) {
			t.Errorf("without storage for %s: %v", resource, err)
		}
	}
}
