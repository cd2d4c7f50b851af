// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/installer"
)

// kinds knows the kinds of a target, and those that CRDs of the manifests will
// add to them.
type kinds struct {
	mapper   meta.ResettableRESTMapper
	declared map[schema.GroupKind]declaredKind

	mu sync.Mutex
	// fresh is true once the mapper was reset because of a kind that it did not
	// know: one reset is enough to learn of what others installed.
	fresh bool
}

// declaredKind is a kind that a CRD of the manifests defines.
type declaredKind struct {
	namespaced bool
	// versions are those that are served.
	versions map[string]bool
}

func newKinds(mapper meta.ResettableRESTMapper) *kinds {
	return &kinds{mapper: mapper, declared: map[schema.GroupKind]declaredKind{}}
}

// declare takes note of the kinds that CRDs define. What cannot be read out of
// a CRD is left for the target to refuse.
func (k *kinds) declare(objects []*unstructured.Unstructured) {
	for _, obj := range objects {
		if obj.GroupVersionKind().GroupKind() != crdKind {
			continue
		}
		scope, _, _ := unstructured.NestedString(obj.Object, "spec", "scope")
		versions := map[string]bool{}
		for _, v := range definedVersions(obj) {
			if v.served {
				versions[v.name] = true
			}
		}
		k.declared[definedKind(obj)] = declaredKind{namespaced: scope == "Namespaced", versions: versions}
	}
}

// definedKind is the kind that a CRD defines.
func definedKind(crd *unstructured.Unstructured) schema.GroupKind {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	return schema.GroupKind{Group: group, Kind: kind}
}

type definedVersion struct {
	name   string
	served bool
}

// definedVersions are the versions that a CRD defines.
func definedVersions(crd *unstructured.Unstructured) []definedVersion {
	list, _, _ := unstructured.NestedFieldNoCopy(crd.Object, "spec", "versions")
	entries, _ := list.([]any)
	var versions []definedVersion
	for _, entry := range entries {
		version, _ := entry.(map[string]any)
		name, _ := version["name"].(string)
		served, _ := version["served"].(bool)
		if name != "" {
			versions = append(versions, definedVersion{name, served})
		}
	}
	return versions
}

// namespaced tells whether the objects of a kind are in namespaces.
func (k *kinds) namespaced(gvk schema.GroupVersionKind) (bool, error) {
	if declared, ok := k.declared[gvk.GroupKind()]; ok && declared.versions[gvk.Version] {
		return declared.namespaced, nil
	}
	mapping, err := k.mapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return false, err
	}
	return mapping.Scope.Name() == meta.RESTScopeNameNamespace, nil
}

// mapping returns where a kind is served; in any version where none is given.
// Where the kind is not served the error matches meta.IsNoMatchError.
func (k *kinds) mapping(gk schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	mapping, err := k.mapper.RESTMapping(gk, versions...)
	if meta.IsNoMatchError(err) && k.refresh() {
		mapping, err = k.mapper.RESTMapping(gk, versions...)
	}
	if meta.IsNoMatchError(err) {
		// Another Integration may bring it: trying again can help.
		return nil, installer.Errorf(installer.ReasonManifestInvalid, "the target does not serve this kind (%w): install its CRD first, or correct apiVersion and kind", err)
	}
	if err != nil {
		return nil, fmt.Errorf("asking the target for its kinds: %w", err)
	}
	return mapping, nil
}

// refresh resets the mapper the first time it is called.
func (k *kinds) refresh() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fresh {
		return false
	}
	k.fresh = true
	k.mapper.Reset()
	return true
}
