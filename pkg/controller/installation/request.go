// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/catalog"
	"ksit.io/ksit/pkg/controller/pace"
	"ksit.io/ksit/pkg/installer"
)

// ConfigMaps reads the ConfigMaps of the host cluster, one by one.
type ConfigMaps interface {
	Get(ctx context.Context, key types.NamespacedName) (*corev1.ConfigMap, error)
}

// installs tells whether KSIT installs at all, rather than only probing.
func installs(i *v1alpha1.Installation) bool {
	return i.Spec.AutoInstall != nil && i.Spec.AutoInstall.Enabled
}

// namespaceOf is the namespace on the target.
func namespaceOf(i *v1alpha1.Installation) string {
	if namespace := i.Spec.Config["namespace"]; namespace != "" {
		return namespace
	}
	if entry, known := catalog.For(string(i.Spec.Type)); known {
		return entry.Namespace
	}
	return i.Spec.Integration
}

func ownerOf(i *v1alpha1.Installation) installer.Owner {
	return installer.Owner{Namespace: i.Namespace, Integration: i.Spec.Integration}
}

func timeoutOf(i *v1alpha1.Installation) time.Duration {
	var given *int32
	if i.Spec.AutoInstall != nil {
		given = i.Spec.AutoInstall.TimeoutSeconds
	}
	return pace.Seconds(given, v1alpha1.DefaultInstallTimeoutSeconds)
}

func methodOf(i *v1alpha1.Installation) v1alpha1.InstallMethod {
	if i.Spec.AutoInstall != nil && i.Spec.AutoInstall.Method != "" {
		return i.Spec.AutoInstall.Method
	}
	return v1alpha1.InstallMethodHelm
}

// request gathers what the spec asks for, and its digest. What KSIT cannot read
// on the host cluster is an *installer.Error.
func request(ctx context.Context, i *v1alpha1.Installation, configMaps ConfigMaps) (installer.Request, string, error) {
	req := installer.Request{
		Owner:       ownerOf(i),
		Type:        i.Spec.Type,
		Namespace:   namespaceOf(i),
		AutoInstall: i.Spec.AutoInstall,
		Recorded:    i.Status.Releases,
		Timeout:     timeoutOf(i),
	}
	if config := i.Spec.AutoInstall.ManifestConfig; config != nil && config.ConfigMapRef != nil {
		manifests, err := readManifests(ctx, configMaps, i.Namespace, config.ConfigMapRef)
		if err != nil {
			return req, "", err
		}
		req.Sources.Manifests = manifests
	}
	digest, err := digestOf(req)
	return req, digest, err
}

func readManifests(ctx context.Context, configMaps ConfigMaps, namespace string, ref *v1alpha1.ConfigMapReference) ([]byte, error) {
	configMap, err := configMaps.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name})
	if apierrors.IsNotFound(err) {
		return nil, installer.Terminalf(installer.ReasonManifestUnavailable, "there is no ConfigMap %s in namespace %s", ref.Name, namespace)
	}
	if err != nil {
		return nil, installer.Errorf(installer.ReasonManifestUnavailable, "reading ConfigMap %s/%s: %w", namespace, ref.Name, err)
	}
	if ref.Key != "" {
		data, found := configMap.Data[ref.Key]
		if !found {
			return nil, installer.Terminalf(installer.ReasonManifestUnavailable, "ConfigMap %s has no key %s", ref.Name, ref.Key)
		}
		return []byte(data), nil
	}
	parts := make([]string, 0, len(configMap.Data))
	for _, key := range slices.Sorted(maps.Keys(configMap.Data)) {
		parts = append(parts, configMap.Data[key])
	}
	return []byte(strings.Join(parts, "\n---\n")), nil
}

// digestOf covers everything that decides what is on the target, and nothing
// else: a changed timeout or deletion policy is no reason to touch the target.
func digestOf(req installer.Request) (string, error) {
	covered := struct {
		Type      v1alpha1.IntegrationType
		Namespace string
		Method    v1alpha1.InstallMethod
		Helm      *v1alpha1.HelmConfig
		Values    any
		Manifest  *v1alpha1.ManifestConfig
		Content   []byte
		CRDs      v1alpha1.CRDPolicy
	}{
		Type:      req.Type,
		Namespace: req.Namespace,
		Method:    req.AutoInstall.Method,
		Manifest:  req.AutoInstall.ManifestConfig,
		Content:   req.Sources.Manifests,
		CRDs:      req.AutoInstall.CRDPolicy,
	}
	if helm := req.AutoInstall.HelmConfig; helm != nil {
		covered.Helm = helm.DeepCopy()
		covered.Helm.ValuesObject = nil
		if helm.ValuesObject != nil && len(helm.ValuesObject.Raw) > 0 {
			// Decoded, so that neither the order of keys nor white space counts.
			if err := json.Unmarshal(helm.ValuesObject.Raw, &covered.Values); err != nil {
				return "", installer.Terminalf(installer.ReasonValuesInvalid, "valuesObject is not JSON")
			}
		}
	}
	data, err := json.Marshal(covered)
	if err != nil {
		return "", fmt.Errorf("computing the digest of what is asked for: %w", err)
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// removable are the releases that an uninstall removes: those that are
// recorded, and those that a process that was killed before it could record
// them may have begun. The installer leaves alone what is not the owner's.
func removable(i *v1alpha1.Installation) []v1alpha1.ReleaseStatus {
	releases := slices.Clone(i.Status.Releases)
	if !installs(i) {
		return releases
	}
	var names []string
	if helm := i.Spec.AutoInstall.HelmConfig; methodOf(i) == v1alpha1.InstallMethodHelm && helm != nil {
		for _, before := range catalog.Prerequisites(string(i.Spec.Type), helm.Chart) {
			names = append(names, before.ReleaseName)
		}
		names = append(names, helm.ReleaseName)
	} else {
		names = []string{i.Spec.Integration}
	}
	namespace := namespaceOf(i)
	for _, name := range names {
		if !slices.ContainsFunc(releases, func(r v1alpha1.ReleaseStatus) bool { return r.Name == name && r.Namespace == namespace }) {
			releases = append(releases, v1alpha1.ReleaseStatus{Name: name, Namespace: namespace})
		}
	}
	return releases
}
