// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"ksit.io/ksit/pkg/version"
)

// RESTConfig reads a kubeconfig file, or, when path is empty, what a pod is
// given to reach its own cluster. The client does not limit its own rate: the
// workers are few, and the server has flow control.
func RESTConfig(path string) (*rest.Config, error) {
	config, err := loadRESTConfig(path)
	if err != nil {
		return nil, err
	}
	config.UserAgent = rest.DefaultKubernetesUserAgent() + " ksit/" + version.Get().GitVersion
	config.QPS = -1
	return config, nil
}

func loadRESTConfig(path string) (*rest.Config, error) {
	if path == "" {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("no --kubeconfig is given, and this is no pod of the host cluster: %w", err)
		}
		return config, nil
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: path}, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig %s: %w", path, err)
	}
	return config, nil
}
