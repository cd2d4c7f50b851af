// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rest puts together what the API server serves of the group ksit.io.
package rest

import (
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/scheme"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	installationstorage "ksit.io/ksit/pkg/registry/ksit/installation/storage"
	"ksit.io/ksit/pkg/registry/ksit/installationlog"
	"ksit.io/ksit/pkg/registry/ksit/integration"
	integrationstorage "ksit.io/ksit/pkg/registry/ksit/integration/storage"
	targetstorage "ksit.io/ksit/pkg/registry/ksit/integrationtarget/storage"
)

// StorageProvider makes the storage of every kind. What subresources need
// besides etcd becomes a field of it.
type StorageProvider struct {
	// TargetProxy passes requests on to targets. The subresource proxy is not
	// served without it.
	TargetProxy targetstorage.Proxy
	// Live looks at clusters. Without it there are no subresources that do.
	Live *Live
	// Stopping, if set, is closed when the server begins to shut down: streams
	// end then.
	Stopping <-chan struct{}
}

// Live looks at clusters, and at what is installed there, while a caller waits.
type Live struct {
	Targets       targetstorage.Prober
	Installations installationstorage.Prober
}

// NewRESTStorage connects to the storage of every kind and maps the resources
// of each served version to it. A kind has one store, which all versions share:
// a store holds a watch cache. When it fails, nothing is left open.
func (p StorageProvider) NewRESTStorage(set *scheme.Set, getter generic.RESTOptionsGetter) (genericapiserver.APIGroupInfo, error) {
	resources, err := p.newResources(set, getter)
	if err != nil {
		return genericapiserver.APIGroupInfo{}, err
	}
	info := genericapiserver.NewDefaultAPIGroupInfo(ksit.GroupName, set.Scheme, set.ParameterCodec, set.Codecs)
	info.VersionedResourcesStorageMap[v1alpha1.SchemeGroupVersion.Version] = resources
	return info, nil
}

func (p StorageProvider) newResources(set *scheme.Set, getter generic.RESTOptionsGetter) (_ map[string]rest.Storage, err error) {
	resources := map[string]rest.Storage{}
	defer func() {
		if err != nil {
			for _, resource := range resources {
				resource.Destroy()
			}
		}
	}()

	targets, err := targetstorage.New(set.Scheme, getter)
	if err != nil {
		return nil, err
	}
	resources["integrationtargets"] = targets.IntegrationTarget
	resources["integrationtargets/status"] = targets.Status
	if p.TargetProxy != nil {
		resources["integrationtargets/proxy"] = targetstorage.NewProxyREST(targets.IntegrationTarget, p.TargetProxy)
	}
	resources["integrationtargets/reconcile"] = targets.Reconcile

	integrations, err := integrationstorage.New(set.Scheme, getter)
	if err != nil {
		return nil, err
	}
	resources["integrations"] = integrations.Integration
	resources["integrations/status"] = integrations.Status
	resources["integrations/reconcile"] = integrations.Reconcile

	logs, err := installationlog.NewStore(set.Scheme, getter)
	if err != nil {
		return nil, err
	}
	installations, err := installationstorage.New(set.Scheme, getter, logs.Delete)
	if err != nil {
		logs.Destroy()
		return nil, err
	}
	resources["installations"] = installations.Installation
	resources["installations/status"] = installations.Status
	if p.Live != nil {
		resources["integrationtargets/health"] = targetstorage.NewHealth(targets, set.Scheme, p.Live.Targets)
		live := installationstorage.NewLive(installations, set.Scheme, p.Live.Installations)
		resources["installations/health"] = live.Health
		resources["installations/history"] = live.History
		resources["installations/manifest"] = live.Manifest
		resources["installations/diff"] = installationstorage.NewDiff(installations, integrations.Integration,
			integration.NewStrategy(set.Scheme), set.Scheme, p.Live.Installations)
	}
	resources["installations/reconcile"] = installations.Reconcile
	resources["installations/rollback"] = installations.Rollback
	resources["installations/"+installationlog.Subresource] = installationlog.NewREST(logs, installations.Installation, p.Stopping)
	return resources, nil
}
