// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"errors"
	"io"
	"net/http"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// errPreview is that of a write in the course of a preview, of which there are
// none.
var errPreview = errors.New("a preview writes nothing")

// previewDriver reads releases, and takes those whose process is dead for failed,
// as an operation would mark them.
type previewDriver struct{ *secretsDriver }

func (d previewDriver) Get(key string) (*release.Release, error) {
	rel, err := d.secretsDriver.Get(key)
	return asFailed(rel), err
}

func (d previewDriver) Query(match map[string]string) ([]*release.Release, error) {
	all, err := d.secretsDriver.Query(match)
	for _, rel := range all {
		asFailed(rel)
	}
	return all, err
}

func asFailed(rel *release.Release) *release.Release {
	if rel != nil && rel.Info != nil && rel.Info.Status.IsPending() {
		rel.Info.Status = release.StatusFailed
	}
	return rel
}

func (previewDriver) Create(string, *release.Release) error   { return errPreview }
func (previewDriver) Update(string, *release.Release) error   { return errPreview }
func (previewDriver) Delete(string) (*release.Release, error) { return nil, errPreview }

// blindClient is Helm's client while it only renders: no object of a manifest is
// looked up, so that those of kinds that are not served yet are no error.
type blindClient struct{ *kubeClient }

func (blindClient) Build(io.Reader, bool) (kube.ResourceList, error) { return nil, nil }

func (blindClient) Create(kube.ResourceList) (*kube.Result, error) {
	return &kube.Result{}, errPreview
}

func (blindClient) Update(_, _ kube.ResourceList, _ bool) (*kube.Result, error) {
	return &kube.Result{}, errPreview
}

func (blindClient) Delete(kube.ResourceList) (*kube.Result, []error) {
	return &kube.Result{}, []error{errPreview}
}

func (blindClient) DeleteWithPropagationPolicy(kube.ResourceList, metav1.DeletionPropagation) (*kube.Result, []error) {
	return &kube.Result{}, []error{errPreview}
}

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
