// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"maps"
	"slices"
	"strings"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/catalog"
	"ksit.io/ksit/pkg/registry/ksit/internal/resource"
)

// maxUnknownKeys is how many unknown keys are warned of one by one.
const maxUnknownKeys = 10

// warnings says what of a valid Integration its author may not have meant.
func warnings(integration *ksit.Integration) []string {
	spec := &integration.Spec
	var out []string

	known := catalog.ConfigKeys(string(spec.Type))
	var unknown []string
	for _, key := range slices.Sorted(maps.Keys(spec.Config)) {
		if !slices.Contains(known, key) {
			unknown = append(unknown, key)
		}
	}
	for i, key := range unknown {
		if i == maxUnknownKeys {
			out = append(out, resource.Warning("spec.config: %d more unknown keys, ignored", len(unknown)-i))
			break
		}
		out = append(out, resource.Warning("spec.config[%s]: unknown key, ignored; known: %s", key, strings.Join(known, ", ")))
	}
	if namespace := spec.Config[configNamespace]; strings.HasPrefix(namespace, "kube-") {
		out = append(out, resource.Warning("spec.config[namespace]: %s is a namespace of Kubernetes itself", namespace))
	}

	if install := spec.AutoInstall; install != nil {
		if config := install.HelmConfig; config != nil && strings.HasPrefix(config.Repository, "http://") {
			out = append(out, resource.Warning("spec.autoInstall.helmConfig.repository: over plain http anybody on the way can change the chart"))
		}
		if config := install.ManifestConfig; config != nil && strings.HasPrefix(config.URL, "http://") && config.Digest == "" {
			out = append(out, resource.Warning("spec.autoInstall.manifestConfig.url: plain http without digest: anybody on the way can change it"))
		}
	}
	return out
}
