// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kinds are those that are served, by group and version.
func kinds() map[string]map[string]string {
	return map[string]map[string]string{
		"v1": {"namespaces": "Namespace", "secrets": "Secret", "serviceaccounts": "ServiceAccount", "configmaps": "ConfigMap", "nodes": "Node"},
		"ksit.io/v1alpha1": {
			"integrations": "Integration", "integrationtargets": "IntegrationTarget", "installations": "Installation",
			"installations/diff": "InstallationDiff", "installations/history": "InstallationHistory", "installations/rollback": "RollbackRequest",
			"installations/health": "InstallationHealth", "installations/manifest": "InstallationManifest", "installations/log": "InstallationLog",
			"integrations/reconcile": "ReconcileRequest", "integrationtargets/proxy": "IntegrationTargetProxyOptions",
		},
		"rbac.authorization.k8s.io/v1": {"clusterroles": "ClusterRole", "clusterrolebindings": "ClusterRoleBinding"},
	}
}

func clusterScoped(name string) bool {
	switch name {
	case "namespaces", "nodes", "clusterroles", "clusterrolebindings":
		return true
	}
	return false
}

func apiVersion(r resource) string {
	return strings.TrimPrefix(r.Group+"/"+r.Version, "/")
}

func kindOf(r resource) (string, bool) {
	kind, found := kinds()[apiVersion(r)][r.Resource]
	return kind, found
}

func resourceOf(group, kind string) (resource, bool) {
	for groupVersion, resources := range kinds() {
		g, v, grouped := strings.Cut(groupVersion, "/")
		if !grouped {
			g, v = "", groupVersion
		}
		for name, k := range resources {
			if g == group && k == kind && !strings.Contains(name, "/") {
				return resource{g, v, name}, true
			}
		}
	}
	return resource{}, false
}

// discover serves what clients ask to learn what is served.
func discover(w http.ResponseWriter, r *http.Request, withoutKSIT bool) {
	path := strings.Trim(r.URL.Path, "/")
	switch path {
	case "version":
		JSON(w, http.StatusOK, map[string]string{"major": "1", "minor": "37", "gitVersion": "v1.37.2"})
		return
	case "openapi/v3/apis/ksit.io/v1alpha1":
		JSON(w, http.StatusOK, map[string]any{"openapi": "3.0.0", "info": map[string]string{"title": "KSIT", "version": "v0.9.0"}})
		return
	case "api":
		JSON(w, http.StatusOK, metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}})
		return
	case "apis":
		groups := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
		for groupVersion := range kinds() {
			group, version, grouped := strings.Cut(groupVersion, "/")
			if !grouped || withoutKSIT && group == "ksit.io" {
				continue
			}
			v := metav1.GroupVersionForDiscovery{GroupVersion: groupVersion, Version: version}
			groups.Groups = append(groups.Groups, metav1.APIGroup{Name: group, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v})
		}
		JSON(w, http.StatusOK, groups)
		return
	}
	groupVersion := strings.TrimPrefix(strings.TrimPrefix(path, "apis/"), "api/")
	resources, served := kinds()[groupVersion]
	if !served || withoutKSIT && groupVersion == "ksit.io/v1alpha1" {
		http.NotFound(w, r)
		return
	}
	list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: groupVersion}
	for name, kind := range resources {
		list.APIResources = append(list.APIResources, metav1.APIResource{
			Name: name, SingularName: strings.ToLower(kind), Kind: kind, Namespaced: !clusterScoped(name),
			Verbs: metav1.Verbs{"get", "list", "watch", "create", "patch", "delete"},
		})
	}
	JSON(w, http.StatusOK, list)
}
