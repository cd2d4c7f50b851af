// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// dryRunGetter makes clients all of whose writes are dry runs, whatever their
// users think.
type dryRunGetter struct {
	genericclioptions.RESTClientGetter
}

func (g dryRunGetter) ToRESTConfig() (*rest.Config, error) {
	config, err := g.RESTClientGetter.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	return dryRunOnly(config), nil
}

func (g dryRunGetter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return dryRunLoader{g.RESTClientGetter.ToRawKubeConfigLoader()}
}

type dryRunLoader struct{ clientLoader }

func (l dryRunLoader) ClientConfig() (*rest.Config, error) {
	config, err := l.clientLoader.ClientConfig()
	if err != nil {
		return nil, err
	}
	return dryRunOnly(config), nil
}

func dryRunOnly(config *rest.Config) *rest.Config {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return dryRunTransport{next} })
	return config
}

type dryRunTransport struct{ next http.RoundTripper }

// RoundTrip asks for a dry run of every request that is none to read.
func (t dryRunTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet || request.Method == http.MethodHead {
		return t.next.RoundTrip(request)
	}
	dry := request.Clone(request.Context())
	query := dry.URL.Query()
	query.Set("dryRun", metav1.DryRunAll)
	dry.URL.RawQuery = query.Encode()
	return t.next.RoundTrip(dry)
}
