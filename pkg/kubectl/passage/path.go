// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package passage is the way through KSIT to the API of a target: as a
// kubeconfig, and as a local server.
package passage

import (
	"fmt"
	"net/url"
	"strings"

	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// Path is where the host's API server serves the API of a target.
func Path(namespace, target string) string {
	return fmt.Sprintf("/apis/%s/namespaces/%s/integrationtargets/%s/proxy", v1alpha1.SchemeGroupVersion, url.PathEscape(namespace), url.PathEscape(target))
}

// Server is the URL of the API of a target, for a host at the given URL. What
// path the host has is kept: some serve many clusters by path.
func Server(host, namespace, target string) string {
	return strings.TrimRight(host, "/") + Path(namespace, target)
}

// Config is how the API of a target is reached with the caller's credentials of
// the host.
func Config(host *rest.Config, namespace, target string) (*rest.Config, error) {
	base, _, err := rest.DefaultServerUrlFor(host)
	if err != nil {
		return nil, fmt.Errorf("reading the address of the host cluster: %w", err)
	}
	config := rest.CopyConfig(host)
	config.APIPath = ""
	config.Host = Server(base.String(), namespace, target)
	return config, nil
}
