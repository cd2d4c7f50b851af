// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// getter hands the parts of a connection to libraries that would otherwise read
// a kubeconfig from disk.
type getter struct {
	connection *Connection
	namespace  string
}

func (g *getter) ToRESTConfig() (*rest.Config, error) { return g.connection.RESTConfig(), nil }

func (g *getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.connection.Discovery(), nil
}

func (g *getter) ToRESTMapper() (meta.RESTMapper, error) { return g.connection.RESTMapper(), nil }

func (g *getter) ToRawKubeConfigLoader() clientcmd.ClientConfig { return clientConfig{g} }

// clientConfig answers for a kubeconfig that is nowhere on disk.
type clientConfig struct{ getter *getter }

// RawConfig returns a kubeconfig with a namespace and no credentials.
func (c clientConfig) RawConfig() (clientcmdapi.Config, error) {
	config := clientcmdapi.NewConfig()
	const name = "target"
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: c.getter.namespace}
	config.Clusters[name] = &clientcmdapi.Cluster{Server: c.getter.connection.info.Endpoint}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{}
	config.CurrentContext = name
	return *config, nil
}

func (c clientConfig) ClientConfig() (*rest.Config, error) {
	return c.getter.connection.RESTConfig(), nil
}

// Namespace returns the default namespace. That it is no override lets objects
// name another.
func (c clientConfig) Namespace() (string, bool, error) { return c.getter.namespace, false, nil }

func (c clientConfig) ConfigAccess() clientcmd.ConfigAccess {
	return &clientcmd.ClientConfigLoadingRules{}
}
