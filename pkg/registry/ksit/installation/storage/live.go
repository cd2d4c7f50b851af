// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// Prober looks at what an Installation is about on its cluster, now. Its errors
// are those of the API. It writes nothing.
type Prober interface {
	// Health probes. That the cluster does not answer is an answer.
	Health(ctx context.Context, installation *v1alpha1.Installation) (*v1alpha1.InstallationHealth, error)
	// History reads the revisions of the releases.
	History(ctx context.Context, installation *v1alpha1.Installation) (*v1alpha1.InstallationHistory, error)
	// Manifest reads what the releases consist of, without what is secret.
	Manifest(ctx context.Context, installation *v1alpha1.Installation, options *v1alpha1.InstallationManifestOptions) (*v1alpha1.InstallationManifest, error)
	// Diff says what would change if the Installation were what an Integration
	// asks for.
	Diff(ctx context.Context, installation *v1alpha1.Installation, integration *v1alpha1.Integration, unchanged bool) (*v1alpha1.InstallationDiffStatus, error)
}

// Live serves the subresources of Installations that are found out while the
// caller waits.
type Live struct {
	Health   *resource.LiveREST
	History  *resource.LiveREST
	Manifest *ManifestREST
}

// NewLive serves them for what a storage holds.
func NewLive(storage *Storage, scheme *runtime.Scheme, prober Prober) *Live {
	installations := resource.NewVersioned[v1alpha1.Installation](storage.Installation.Store, scheme)
	return &Live{
		Health: resource.NewLiveREST(func() runtime.Object { return &ksit.InstallationHealth{} },
			func(ctx context.Context, name string) (runtime.Object, error) {
				installation, err := installations.Get(ctx, name)
				if err != nil {
					return nil, err
				}
				health, err := prober.Health(ctx, installation)
				if err != nil {
					return nil, err
				}
				return resource.Convert[ksit.InstallationHealth](scheme, health)
			}),
		History: resource.NewLiveREST(func() runtime.Object { return &ksit.InstallationHistory{} },
			func(ctx context.Context, name string) (runtime.Object, error) {
				installation, err := installations.Get(ctx, name)
				if err != nil {
					return nil, err
				}
				history, err := prober.History(ctx, installation)
				if err != nil {
					return nil, err
				}
				return resource.Convert[ksit.InstallationHistory](scheme, history)
			}),
		Manifest: &ManifestREST{installations: installations, scheme: scheme, prober: prober},
	}
}

// ManifestREST serves what an Installation consists of.
type ManifestREST struct {
	installations resource.Versioned[v1alpha1.Installation]
	scheme        *runtime.Scheme
	prober        Prober
}

var (
	_ rest.Storage           = &ManifestREST{}
	_ rest.GetterWithOptions = &ManifestREST{}
)

// New returns an empty object of the kind.
func (r *ManifestREST) New() runtime.Object { return &ksit.InstallationManifest{} }

// Destroy does nothing: there is no storage.
func (r *ManifestREST) Destroy() {}

// NewGetOptions returns what the query parameters are read into.
func (r *ManifestREST) NewGetOptions() (runtime.Object, bool, string) {
	return &ksit.InstallationManifestOptions{}, false, ""
}

// Get reads the manifests.
func (r *ManifestREST) Get(ctx context.Context, name string, given runtime.Object) (runtime.Object, error) {
	options, err := resource.Convert[v1alpha1.InstallationManifestOptions](r.scheme, given)
	if err != nil {
		return nil, err
	}
	installation, err := r.installations.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	manifest, err := r.prober.Manifest(ctx, installation, options)
	if err != nil {
		return nil, err
	}
	return resource.Convert[ksit.InstallationManifest](r.scheme, manifest)
}
