// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// manifests reads what manifestConfig.configMapRef names: one key, or all of
// them in their order, joined to one stream.
func (r *reading) manifests(ref *v1alpha1.ConfigMapReference) ([]byte, error) {
	if ref == nil {
		return nil, nil
	}
	configMap, err := r.configMap(ref.Name)
	if err != nil {
		// What is missing is manifests, whatever object holds them.
		return nil, &installer.Error{Reason: installer.ReasonManifestUnavailable, Err: errors.Unwrap(err)}
	}
	if configMap == nil {
		return nil, installer.Terminalf(installer.ReasonManifestUnavailable, "there is no ConfigMap %s in namespace %s", ref.Name, r.namespace)
	}
	if ref.Key != "" {
		data, found := configMap.Data[ref.Key]
		if !found {
			return nil, installer.Terminalf(installer.ReasonManifestUnavailable, "ConfigMap %s/%s has no key %s", r.namespace, ref.Name, ref.Key)
		}
		return []byte(data), nil
	}
	parts := make([]string, 0, len(configMap.Data))
	for _, key := range slices.Sorted(maps.Keys(configMap.Data)) {
		parts = append(parts, configMap.Data[key])
	}
	return []byte(strings.Join(parts, "\n---\n")), nil
}
