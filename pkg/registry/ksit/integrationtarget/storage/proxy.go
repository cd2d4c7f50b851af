// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// ProxySubresource is the name of the subresource that ProxyREST serves.
const ProxySubresource = "proxy"

// Proxy passes requests on to targets.
type Proxy interface {
	// Connect returns what passes one request on to path on the API server of the
	// target, as the user of ctx and as nobody else. Errors are of the API.
	Connect(ctx context.Context, target *v1alpha1.IntegrationTarget, path string, responder rest.Responder) (http.Handler, error)
}

// ProxyREST serves the API servers of targets, below the path of the object.
type ProxyREST struct {
	targets rest.Getter
	proxy   Proxy
}

var (
	_ rest.Storage   = &ProxyREST{}
	_ rest.Connecter = &ProxyREST{}
)

// NewProxyREST serves the targets by the proxy.
func NewProxyREST(targets rest.Getter, proxy Proxy) *ProxyREST {
	return &ProxyREST{targets: targets, proxy: proxy}
}

// New implements rest.Storage.
func (r *ProxyREST) New() runtime.Object { return &ksit.IntegrationTargetProxyOptions{} }

// Destroy implements rest.Storage. The store belongs to the IntegrationTargets.
func (r *ProxyREST) Destroy() {}

// ConnectMethods implements rest.Connecter. There is no OPTIONS: RBAC has no
// verb for it.
func (r *ProxyREST) ConnectMethods() []string {
	return []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
}

// NewConnectOptions implements rest.Connecter: what comes after the name of the
// subresource is the path.
func (r *ProxyREST) NewConnectOptions() (runtime.Object, bool, string) {
	return &ksit.IntegrationTargetProxyOptions{}, true, "path"
}

// Connect implements rest.Connecter.
func (r *ProxyREST) Connect(ctx context.Context, name string, options runtime.Object, responder rest.Responder) (http.Handler, error) {
	proxyOptions, ok := options.(*ksit.IntegrationTargetProxyOptions)
	if !ok {
		return nil, fmt.Errorf("unexpected options of the subresource proxy: %T", options)
	}
	// What the watch cache has is a moment old at most, and may lack what was just
	// created.
	object, err := r.targets.Get(ctx, name, &metav1.GetOptions{ResourceVersion: "0"})
	if apierrors.IsNotFound(err) {
		object, err = r.targets.Get(ctx, name, &metav1.GetOptions{})
	}
	if err != nil {
		return nil, err
	}
	target := &v1alpha1.IntegrationTarget{}
	if err := v1alpha1.Convert_ksit_IntegrationTarget_To_v1alpha1_IntegrationTarget(object.(*ksit.IntegrationTarget), target, nil); err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("converting IntegrationTarget %s: %w", name, err))
	}
	handler, err := r.proxy.Connect(ctx, target, proxyOptions.Path, responder)
	if err != nil {
		return nil, err
	}
	return withQuery(handler), nil
}
