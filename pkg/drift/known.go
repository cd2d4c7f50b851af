// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"bytes"
	"encoding/base64"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	webhookGroup    = "admissionregistration.k8s.io"
	replicasPointer = "/spec/replicas"
)

var (
	crdKind         = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
	apiServiceKind  = schema.GroupKind{Group: "apiregistration.k8s.io", Kind: "APIService"}
	clusterRoleKind = schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}
	jobKind         = schema.GroupKind{Group: "batch", Kind: "Job"}
)

// normalize returns a copy of what was applied with what counts: no status, none
// of the metadata that the target sets, no fields that are null, and the text
// of a Secret where the target puts it.
func normalize(applied *unstructured.Unstructured) *unstructured.Unstructured {
	obj := applied.DeepCopy()
	delete(obj.Object, "status")
	for _, field := range []string{"creationTimestamp", "deletionTimestamp", "generateName", "generation", "managedFields", "resourceVersion", "selfLink", "uid"} {
		unstructured.RemoveNestedField(obj.Object, "metadata", field)
	}
	dropNulls(obj.Object)
	if obj.GroupVersionKind().GroupKind() == secretKind {
		encodeText(obj.Object)
	}
	return obj
}

func dropNulls(value any) {
	switch v := value.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(_ string, child any) bool { return child == nil })
		for _, child := range v {
			dropNulls(child)
		}
	case []any:
		for _, child := range v {
			dropNulls(child)
		}
	}
}

func encodeText(secret map[string]any) {
	text, ok := secret["stringData"].(map[string]any)
	if !ok {
		return
	}
	data, ok := secret["data"].(map[string]any)
	if !ok {
		data = map[string]any{}
		secret["data"] = data
	}
	for key, value := range text {
		s, _ := value.(string)
		data[key] = base64.StdEncoding.EncodeToString([]byte(s))
	}
	delete(secret, "stringData")
}

// foreign returns patterns of JSON pointers to what others write into an object
// although it was applied with a value for it. A * stands for any index.
func foreign(applied *unstructured.Unstructured) []string {
	switch gk := applied.GroupVersionKind().GroupKind(); {
	case gk.Group == webhookGroup:
		patterns := []string{"/webhooks/*/clientConfig/caBundle"}
		if !bundled(applied) {
			// Who injects the CA bundle also turns Ignore, which lets the
			// webhook's own server be installed, into Fail.
			patterns = append(patterns, "/webhooks/*/failurePolicy")
		}
		return patterns
	case gk == crdKind:
		return []string{"/spec/conversion/webhook/clientConfig/caBundle"}
	case gk == apiServiceKind:
		return []string{"/spec/caBundle"}
	case gk == clusterRoleKind && applied.Object["aggregationRule"] != nil:
		// The target gathers them from other roles.
		return []string{"/rules"}
	default:
		return nil
	}
}

// bundled tells whether a webhook configuration brings all its CA bundles along.
func bundled(applied *unstructured.Unstructured) bool {
	webhooks, _, _ := unstructured.NestedSlice(applied.Object, "webhooks")
	for _, entry := range webhooks {
		webhook, _ := entry.(map[string]any)
		bundle, _, _ := unstructured.NestedString(webhook, "clientConfig", "caBundle")
		// Some generators write a line break as a place-holder.
		decoded, err := base64.StdEncoding.DecodeString(bundle)
		if err != nil || len(bytes.TrimSpace(decoded)) == 0 {
			return false
		}
	}
	return true
}

// fits tells whether a JSON pointer is that of a pattern, or below it.
func fits(pattern, pointer string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(pointer, "/")
	if len(have) < len(want) {
		return false
	}
	for i, token := range want {
		if token != "*" && token != have[i] {
			return false
		}
	}
	return true
}

// expendable tells whether an object may go by itself: a Job that was asked to
// when it is done.
func expendable(applied *unstructured.Unstructured) bool {
	if applied.GroupVersionKind().GroupKind() != jobKind {
		return false
	}
	ttl, found, _ := unstructured.NestedFieldNoCopy(applied.Object, "spec", "ttlSecondsAfterFinished")
	return found && ttl != nil
}
