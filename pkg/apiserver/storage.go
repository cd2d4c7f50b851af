// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	serverstorage "k8s.io/apiserver/pkg/server/storage"

	"ksit.io/ksit/pkg/apis/ksit/scheme"
)

// storageFactory decides where and how each resource is stored. An object is at
//
//	<prefix>/<group>/<resource>/<namespace>/<name>
//
// This layout is part of what an upgrade must keep, and differs from the
// library's default, which leaves out the group.
type storageFactory struct {
	*serverstorage.DefaultStorageFactory
}

var _ serverstorage.StorageFactory = storageFactory{}

// ResourcePrefix implements serverstorage.StorageFactory.
func (storageFactory) ResourcePrefix(resource schema.GroupResource) string {
	return resource.Group + "/" + resource.Resource
}

// ApplyStorage makes config store objects in the etcd of the options, in their
// media type and in the preferred version of their group.
func ApplyStorage(config *genericapiserver.Config, etcd *genericoptions.EtcdOptions, set *scheme.Set) error {
	backend := etcd.StorageConfig
	backend.StorageObjectCountTracker = config.StorageObjectCountTracker
	// No effective version: the stored version of an alpha API does not follow
	// the version of Kubernetes that is emulated.
	encoding := serverstorage.NewDefaultResourceEncodingConfigForEffectiveVersion(set.Scheme, nil)
	factory := storageFactory{serverstorage.NewDefaultStorageFactory(
		backend, etcd.DefaultStorageMediaType, set.Codecs, encoding, serverstorage.NewResourceConfig(), nil)}

	overrides, err := genericoptions.ParseEtcdServersOverrides(etcd.EtcdServersOverrides)
	if err != nil {
		return err
	}
	for _, override := range overrides {
		factory.SetEtcdLocation(override.GroupResource, override.Servers)
	}
	if err := etcd.ApplyWithStorageFactoryTo(factory, config); err != nil {
		return fmt.Errorf("configuring storage: %w", err)
	}
	return nil
}
