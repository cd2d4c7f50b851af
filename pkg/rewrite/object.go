// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package rewrite

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// maxDepth bounds how deep an object is searched. A pod template in a custom
// resource lies some ten levels deep.
const maxDepth = 100

// Images rewrites the container images of an object in place and tells whether
// any changed. Images are:
//
//   - the field image of the entries of lists named containers, initContainers
//     and ephemeralContainers, wherever they are in the object, which covers
//     pods, workloads, jobs, lists of them, and custom resources with pod
//     templates;
//   - the field image.reference of the entries of lists named volumes;
//   - spec.image and spec.thanos.image of the kinds of monitoring.coreos.com.
//
// CustomResourceDefinitions are left alone. An image that a program gets as an
// argument or in a ConfigMap cannot be told from any other text: it is changed
// by a value of the chart.
func (t *Table) Images(obj *unstructured.Unstructured) (changed bool) {
	if t == nil || len(t.images) == 0 || obj == nil {
		return false
	}
	gk := obj.GroupVersionKind().GroupKind()
	if gk.Kind == "CustomResourceDefinition" && gk.Group == "apiextensions.k8s.io" {
		return false
	}
	return t.imagesOf(obj.Object, 0)
}

func (t *Table) imagesOf(value any, depth int) (changed bool) {
	if depth > maxDepth {
		return false
	}
	switch value := value.(type) {
	case map[string]any:
		if depth == 0 || value["kind"] != nil {
			changed = t.operatorImages(value)
		}
		for key, child := range value {
			if entries, ok := child.([]any); ok {
				changed = t.imagesOfList(key, entries) || changed
			}
			changed = t.imagesOf(child, depth+1) || changed
		}
	case []any:
		for _, child := range value {
			changed = t.imagesOf(child, depth+1) || changed
		}
	}
	return changed
}

func (t *Table) imagesOfList(key string, entries []any) (changed bool) {
	for _, entry := range entries {
		fields, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		switch key {
		case "containers", "initContainers", "ephemeralContainers":
			changed = t.imageField(fields, "image") || changed
		case "volumes":
			if image, ok := fields["image"].(map[string]any); ok {
				changed = t.imageField(image, "reference") || changed
			}
		}
	}
	return changed
}

// operatorImages rewrites the images of the Prometheus operator's own kinds,
// which are not in a list of containers.
func (t *Table) operatorImages(obj map[string]any) (changed bool) {
	u := unstructured.Unstructured{Object: obj}
	if u.GroupVersionKind().Group != "monitoring.coreos.com" {
		return false
	}
	spec, ok := obj["spec"].(map[string]any)
	if !ok {
		return false
	}
	changed = t.imageField(spec, "image")
	if thanos, ok := spec["thanos"].(map[string]any); ok {
		changed = t.imageField(thanos, "image") || changed
	}
	return changed
}

func (t *Table) imageField(fields map[string]any, name string) bool {
	image, ok := fields[name].(string)
	if !ok {
		return false
	}
	rewritten := t.Image(image)
	if rewritten == image {
		return false
	}
	fields[name] = rewritten
	return true
}
