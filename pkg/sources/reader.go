// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sources reads on the host cluster what an AutoInstall refers to:
// values, manifests, credentials, CA certificates and public keys. It reads
// object by object, by name, and only in the namespace of the Integration.
package sources

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// ConfigMaps reads the ConfigMaps of the host cluster, one by one.
type ConfigMaps interface {
	Get(ctx context.Context, key types.NamespacedName) (*corev1.ConfigMap, error)
}

// Secrets reads the Secrets of the host cluster, one by one.
type Secrets interface {
	Get(ctx context.Context, key types.NamespacedName) (*corev1.Secret, error)
}

// Reader reads what AutoInstalls refer to.
type Reader struct {
	ConfigMaps ConfigMaps
	Secrets    Secrets
}

// Read returns what install refers to in a namespace. Only what its method uses
// is read. An object that is named more than once is read once, so that two
// keys of it belong together. Errors are of type *installer.Error; they name
// objects and keys, never content.
func (r Reader) Read(ctx context.Context, namespace string, install *v1alpha1.AutoInstall) (installer.Sources, error) {
	if install == nil {
		return installer.Sources{}, nil
	}
	read := &reading{Reader: r, ctx: ctx, namespace: namespace,
		configMaps: map[string]*corev1.ConfigMap{}, secrets: map[string]*corev1.Secret{}}
	if install.Method == v1alpha1.InstallMethodManifest {
		return read.forManifests(install.ManifestConfig)
	}
	return read.forHelm(install.HelmConfig)
}

// reading is one Read, with the objects that it has read. An object that is not
// there is kept as nil.
type reading struct {
	Reader

	ctx        context.Context
	namespace  string
	configMaps map[string]*corev1.ConfigMap
	secrets    map[string]*corev1.Secret
}

func (r *reading) forHelm(config *v1alpha1.HelmConfig) (out installer.Sources, err error) {
	if config == nil {
		return out, nil
	}
	if out.Values, err = r.values(config.ValuesFrom); err != nil {
		return installer.Sources{}, err
	}
	if out.Access, err = r.access(config.SecretRef, config.CASecretRef); err != nil {
		return installer.Sources{}, err
	}
	if out.Keys, err = r.keys(config.Verify); err != nil {
		return installer.Sources{}, err
	}
	return out, nil
}

func (r *reading) forManifests(config *v1alpha1.ManifestConfig) (out installer.Sources, err error) {
	if config == nil {
		return out, nil
	}
	if out.Manifests, err = r.manifests(config.ConfigMapRef); err != nil {
		return installer.Sources{}, err
	}
	if out.Access, err = r.access(config.SecretRef, config.CASecretRef); err != nil {
		return installer.Sources{}, err
	}
	return out, nil
}

// configMap returns a ConfigMap, nil where there is none.
func (r *reading) configMap(name string) (*corev1.ConfigMap, error) {
	if found, known := r.configMaps[name]; known {
		return found, nil
	}
	found, err := r.ConfigMaps.Get(r.ctx, types.NamespacedName{Namespace: r.namespace, Name: name})
	switch {
	case apierrors.IsNotFound(err):
		found = nil
	case err != nil:
		return nil, installer.Errorf(installer.ReasonSourceUnavailable, "reading ConfigMap %s/%s: %w", r.namespace, name, err)
	}
	r.configMaps[name] = found
	return found, nil
}

// secret returns a Secret, nil where there is none.
func (r *reading) secret(name string) (*corev1.Secret, error) {
	if found, known := r.secrets[name]; known {
		return found, nil
	}
	found, err := r.Secrets.Get(r.ctx, types.NamespacedName{Namespace: r.namespace, Name: name})
	switch {
	case apierrors.IsNotFound(err):
		found = nil
	case err != nil:
		return nil, installer.Errorf(installer.ReasonSourceUnavailable, "reading Secret %s/%s: %w", r.namespace, name, err)
	}
	r.secrets[name] = found
	return found, nil
}
