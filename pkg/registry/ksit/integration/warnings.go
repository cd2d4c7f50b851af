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

	if rollout := spec.Rollout; rollout != nil && rollout.MaxConcurrent == nil && len(rollout.Partitions) == 0 && !rollout.Paused {
		out = append(out, resource.Warning("spec.rollout: without maxConcurrent and partitions all clusters change at once"))
	}
	return append(out, installWarnings(spec.AutoInstall)...)
}

func installWarnings(install *ksit.AutoInstall) []string {
	if install == nil {
		return nil
	}
	var out []string
	if config := install.HelmConfig; config != nil {
		if strings.HasPrefix(config.Repository, "http://") {
			out = append(out, resource.Warning("spec.autoInstall.helmConfig.repository: over plain http anybody on the way can change the chart"))
			if config.SecretRef != nil {
				out = append(out, resource.Warning("spec.autoInstall.helmConfig.secretRef: credentials do not belong on plain http: use https"))
			}
		}
		if !config.TemplateValues && hasExpression(config) {
			out = append(out, resource.Warning("spec.autoInstall.helmConfig.templateValues: is false, so ${...} in the values is text"))
		}
	}
	if config := install.ManifestConfig; config != nil && strings.HasPrefix(config.URL, "http://") {
		if config.Digest == "" {
			out = append(out, resource.Warning("spec.autoInstall.manifestConfig.url: plain http without digest: anybody on the way can change it"))
		}
		if config.SecretRef != nil {
			out = append(out, resource.Warning("spec.autoInstall.manifestConfig.secretRef: credentials do not belong on plain http: use https"))
		}
	}
	if drift := install.Drift; drift != nil && drift.Mode == ksit.DriftDisabled && len(drift.Ignore) > 0 {
		out = append(out, resource.Warning("spec.autoInstall.drift.ignore: has no effect while mode is Disabled"))
	}
	return out
}

// hasExpression tells whether the values ask about the target or the
// Integration in a way that only templateValues would answer. A bare ${ is
// common in values that have nothing to do with it.
func hasExpression(config *ksit.HelmConfig) bool {
	asks := func(text string) bool {
		return strings.Contains(text, "${target.") || strings.Contains(text, "${integration.")
	}
	for _, value := range config.Values {
		if asks(value) {
			return true
		}
	}
	return config.ValuesObject != nil && asks(string(config.ValuesObject.Raw))
}
