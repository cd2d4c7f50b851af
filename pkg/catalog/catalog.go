// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package catalog knows, for each type of Integration, what is installed when
// the user does not say: which chart of which repository, in which version,
// under which release name and in which namespace.
package catalog

// Entry holds the defaults of one type.
type Entry struct {
	// Repository is the URL of the chart repository.
	Repository string
	// Chart is the name of the chart that a user would name.
	Chart string
	// Version is the version of the chart that this KSIT was tested with.
	Version string
	// ReleaseName is the name of the Helm release.
	ReleaseName string
	// Namespace is the namespace on the target.
	Namespace string
	// ManifestURL is the install manifest of the project; empty where KSIT
	// knows none.
	ManifestURL string
}

// For returns the defaults of a type, and whether the catalog has any: it has
// none for generic and for unknown types.
func For(integrationType string) (Entry, bool) {
	switch integrationType {
	case "argocd":
		return Entry{
			Repository:  "https://argoproj.github.io/argo-helm",
			Chart:       "argo-cd",
			Version:     "5.51.6",
			ReleaseName: "argocd",
			Namespace:   "argocd",
		}, true
	case "prometheus":
		return Entry{
			Repository:  "https://prometheus-community.github.io/helm-charts",
			Chart:       "kube-prometheus-stack",
			Version:     "55.5.0",
			ReleaseName: "prometheus",
			Namespace:   "monitoring",
		}, true
	case "istio":
		return Entry{
			Repository:  "https://istio-release.storage.googleapis.com/charts",
			Chart:       "istiod",
			Version:     "1.20.2",
			ReleaseName: "istiod",
			Namespace:   "istio-system",
		}, true
	case "flux":
		return Entry{
			Repository:  "https://fluxcd-community.github.io/helm-charts",
			Chart:       "flux2",
			Version:     "2.12.4",
			ReleaseName: "flux2",
			Namespace:   "flux-system",
			ManifestURL: "https://github.com/fluxcd/flux2/releases/download/v2.2.3/install.yaml",
		}, true
	default:
		return Entry{}, false
	}
}

// Prerequisite is a release that must stand before the one a user named.
type Prerequisite struct {
	Chart       string
	ReleaseName string
}

// Prerequisites returns the releases that chart of a type needs before itself,
// in order; they come from the same repository, in the same version. Istio
// keeps its CRDs in a chart of their own, base, without which istiod fails.
func Prerequisites(integrationType, chart string) []Prerequisite {
	if integrationType == "istio" && chart == "istiod" {
		return []Prerequisite{{Chart: "base", ReleaseName: "istio-base"}}
	}
	return nil
}

// ConfigKeys returns the keys of spec.config that a type knows.
func ConfigKeys(string) []string {
	return []string{"namespace"}
}
