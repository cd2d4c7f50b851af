// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"ksit.io/ksit/pkg/apis/ksit"
	"ksit.io/ksit/pkg/catalog"
)

const configNamespace = "namespace"

// fillDefaults writes into the object what its author left empty: on update
// what old has, else what the catalog knows for the type, else, for generic,
// the name of the object. They are written down, and not looked up when they
// are needed, so that a newer KSIT with newer defaults moves nothing that runs.
func fillDefaults(integration, old *ksit.Integration) {
	entry, known := catalog.For(string(integration.Spec.Type))
	if integration.Spec.Type == ksit.IntegrationTypeGeneric {
		entry, known = catalog.Entry{ReleaseName: integration.Name, Namespace: integration.Name}, true
	}
	if !known {
		return
	}
	if old == nil || old.Spec.Type != integration.Spec.Type {
		old = &ksit.Integration{}
	}
	if integration.Spec.Config[configNamespace] == "" {
		if integration.Spec.Config == nil {
			integration.Spec.Config = map[string]string{}
		}
		integration.Spec.Config[configNamespace] = first(old.Spec.Config[configNamespace], entry.Namespace)
	}

	install := integration.Spec.AutoInstall
	if install == nil {
		return
	}
	before := old.Spec.AutoInstall
	if before == nil {
		before = &ksit.AutoInstall{}
	}
	switch install.Method {
	case ksit.InstallMethodHelm:
		install.HelmConfig = filledHelmConfig(install.HelmConfig, before.HelmConfig, integration.Spec.Type, entry)
	case ksit.InstallMethodManifest:
		install.ManifestConfig = filledManifestConfig(install.ManifestConfig, before.ManifestConfig, entry)
	}
}

// filledHelmConfig fills in what config leaves empty. A version goes with its
// chart: that of another chart is not taken over.
func filledHelmConfig(config, old *ksit.HelmConfig, integrationType ksit.IntegrationType, entry catalog.Entry) *ksit.HelmConfig {
	if config == nil {
		config = &ksit.HelmConfig{}
	}
	if old == nil {
		old = &ksit.HelmConfig{}
	}
	config.Repository = first(config.Repository, old.Repository, entry.Repository)
	config.Chart = first(config.Chart, old.Chart, entry.Chart)
	config.ReleaseName = first(config.ReleaseName, old.ReleaseName, entry.ReleaseName)
	if config.Repository == old.Repository && config.Chart == old.Chart {
		config.Version = first(config.Version, old.Version)
	}
	if shipsWith(config.Chart, integrationType, entry) {
		config.Version = first(config.Version, entry.Version)
	}
	return config
}

// shipsWith tells whether a chart has the version that the catalog knows for
// the type: the chart of the type itself, and those that come before it.
func shipsWith(chart string, integrationType ksit.IntegrationType, entry catalog.Entry) bool {
	if chart == entry.Chart {
		return true
	}
	for _, before := range catalog.Prerequisites(string(integrationType), entry.Chart) {
		if chart == before.Chart {
			return true
		}
	}
	return false
}

// filledManifestConfig gives a config without a source that of old, else the
// manifest that the catalog knows.
func filledManifestConfig(config, old *ksit.ManifestConfig, entry catalog.Entry) *ksit.ManifestConfig {
	if config == nil {
		if old != nil {
			return old.DeepCopy()
		}
		if entry.ManifestURL == "" {
			return nil
		}
		config = &ksit.ManifestConfig{}
	}
	if config.URL == "" && config.ConfigMapRef == nil && config.Manifests == "" {
		if old != nil && old.URL != "" {
			config.URL = old.URL
		} else {
			config.URL = entry.ManifestURL
		}
	}
	return config
}

// dropLeftovers removes what the server filled in for the method, or the source
// of manifests, that install no longer uses. A client that applies a manifest
// which never named it has no way to take it out. What the client changed along
// with the method stays, for validation to refuse.
func dropLeftovers(install, old *ksit.AutoInstall, integrationType ksit.IntegrationType) {
	if install == nil || old == nil {
		return
	}
	if install.Method != old.Method {
		if install.Method == ksit.InstallMethodManifest && apiequality.Semantic.DeepEqual(install.HelmConfig, old.HelmConfig) {
			install.HelmConfig = nil
		}
		if install.Method == ksit.InstallMethodHelm && apiequality.Semantic.DeepEqual(install.ManifestConfig, old.ManifestConfig) {
			install.ManifestConfig = nil
		}
	}
	config, before := install.ManifestConfig, old.ManifestConfig
	if config == nil || before == nil {
		return
	}
	gained := (config.ConfigMapRef != nil && before.ConfigMapRef == nil) || (config.Manifests != "" && before.Manifests == "")
	entry, _ := catalog.For(string(integrationType))
	if gained && config.URL == before.URL && config.URL == entry.ManifestURL {
		config.URL = ""
	}
}

// first returns the first text that is not empty.
func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
