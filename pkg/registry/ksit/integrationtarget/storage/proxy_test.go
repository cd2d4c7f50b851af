// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// targets is a store with one target, and another that its cache does not know yet.
type targets struct{}

func (targets) Get(_ context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	if name != "one" && (name != "new" || options.ResourceVersion == "0") {
		return nil, apierrors.NewNotFound(ksit.Resource("integrationtargets"), name)
	}
	target := validTarget(name)
	target.Namespace, target.UID = "team", "u"
	return target, nil
}

// recordingProxy keeps what it was asked to connect to.
type recordingProxy struct {
	target *v1alpha1.IntegrationTarget
	path   string
	query  string
}

func (p *recordingProxy) Connect(_ context.Context, target *v1alpha1.IntegrationTarget, path string, _ rest.Responder) (http.Handler, error) {
	p.target, p.path = target, path
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { p.query = r.URL.RawQuery }), nil
}

func TestProxyConnects(t *testing.T) {
	proxy := &recordingProxy{}
	storage := NewProxyREST(targets{}, proxy)
	options := &ksit.IntegrationTargetProxyOptions{Path: "/api/v1/pods"}
	if _, err := storage.Connect(t.Context(), "one", options, nil); err != nil {
		t.Fatal(err)
	}
	if got := proxy.target; got.Namespace != "team" || got.Name != "one" || got.UID != "u" || got.Spec.KubeconfigSecret != "prod-1-kubeconfig" {
		t.Errorf("connects to %+v", got)
	}
	if proxy.path != options.Path {
		t.Errorf("connects to the path %s", proxy.path)
	}
	if _, err := storage.Connect(t.Context(), "new", options, nil); err != nil || proxy.target.Name != "new" {
		t.Errorf("a target that was just created: %v", err)
	}
	if _, err := storage.Connect(t.Context(), "two", options, nil); !apierrors.IsNotFound(err) {
		t.Errorf("a target that is not there: %v", err)
	}
	if _, err := storage.Connect(t.Context(), "one", &ksit.InstallationLogOptions{}, nil); err == nil {
		t.Error("the options of another subresource were taken")
	}
	// A method without a verb of RBAC could not be allowed by it.
	if slices.Contains(storage.ConnectMethods(), http.MethodOptions) {
		t.Error("OPTIONS is served")
	}
}

// The parameters are hidden from the library for the subresource alone, and come
// back as they were.
func TestProxyQuery(t *testing.T) {
	const query = "dryRun=All&path=/x&a=%zz;b"
	proxy := &recordingProxy{}
	storage := NewProxyREST(targets{}, proxy)
	for subresource, hidden := range map[string]bool{"proxy": true, "status": false, "": false} {
		seen := ""
		handler := WithProxyQuery(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = r.URL.RawQuery
			connected, err := storage.Connect(r.Context(), "one", &ksit.IntegrationTargetProxyOptions{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			connected.ServeHTTP(w, r)
		}))
		request := httptest.NewRequest(http.MethodGet, "/x?"+query, nil)
		request = request.WithContext(genericapirequest.WithRequestInfo(request.Context(), &genericapirequest.RequestInfo{
			IsResourceRequest: true, APIGroup: "ksit.io", Resource: "integrationtargets", Subresource: subresource,
		}))
		handler.ServeHTTP(httptest.NewRecorder(), request)
		if (seen == "") != hidden {
			t.Errorf("subresource %q: the library sees %q", subresource, seen)
		}
		if proxy.query != query || request.URL.RawQuery != query {
			t.Errorf("subresource %q: %q came back, and the request has %q", subresource, proxy.query, request.URL.RawQuery)
		}
	}
}
