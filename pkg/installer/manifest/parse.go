// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	names "k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/safeyaml"
)

const (
	// maxObjects bounds the objects of a release.
	maxObjects = 5000
	// maxListDepth bounds lists within lists.
	maxListDepth = 3
)

var errTooMany = fmt.Errorf("more than %d objects", maxObjects)

// parse reads a stream of YAML or JSON documents into objects, lists taken
// apart. Its errors are terminal, say which document is wrong, and hold no
// values.
func parse(data []byte) ([]*unstructured.Unstructured, error) {
	documents := safeyaml.NewDocuments(data)
	var objects []*unstructured.Unstructured
	for n := 1; ; n++ {
		raw, err := documents.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, safeyaml.ErrTooMuch) {
			return nil, invalid("document %d: %w", n, err)
		}
		if err != nil {
			// The text of a parser can hold a piece of what it could not parse.
			return nil, invalid("document %d is not YAML or JSON%s", n, lineOf(err))
		}
		var value any
		if len(raw) > 0 {
			if err := utiljson.Unmarshal(raw, &value); err != nil {
				return nil, invalid("document %d is not YAML or JSON", n)
			}
		}
		if value == nil {
			continue // Nothing but comments.
		}
		objects, err = appendObjects(objects, value, 0)
		if errors.Is(err, errTooMany) {
			return nil, &installer.Error{Reason: installer.ReasonTooLarge, Terminal: true, Err: err}
		}
		if err != nil {
			return nil, invalid("document %d: %w", n, err)
		}
	}
	if len(objects) == 0 {
		return nil, invalid("no objects in them")
	}
	return objects, nil
}

func invalid(format string, args ...any) error {
	return installer.Terminalf(installer.ReasonManifestInvalid, format, args...)
}

// lineOf returns where in a document a YAML parser stopped, if it says.
func lineOf(err error) string {
	_, rest, ok := strings.Cut(err.Error(), "yaml: line ")
	if !ok {
		return ""
	}
	line, _, _ := strings.Cut(rest, ":")
	if len(line) > 9 || strings.Trim(line, "0123456789") != "" {
		return ""
	}
	return ": line " + line
}

func appendObjects(objects []*unstructured.Unstructured, value any, depth int) ([]*unstructured.Unstructured, error) {
	fields, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	obj := &unstructured.Unstructured{Object: fields}
	if items, ok := fields["items"].([]any); ok && strings.HasSuffix(obj.GetKind(), "List") {
		if depth == maxListDepth {
			return nil, errors.New("lists within lists within lists")
		}
		var err error
		for n, item := range items {
			if objects, err = appendObjects(objects, item, depth+1); err != nil {
				return nil, fmt.Errorf("items[%d]: %w", n, err)
			}
		}
		return objects, nil
	}
	if err := check(obj); err != nil {
		return nil, err
	}
	clean(obj)
	if len(objects) == maxObjects {
		return nil, errTooMany
	}
	return append(objects, obj), nil
}

// check refuses what cannot be applied, and what would break the code that
// reads metadata.
func check(obj *unstructured.Unstructured) error {
	if obj.GetAPIVersion() == "" || obj.GetKind() == "" {
		return errors.New("apiVersion or kind is missing")
	}
	if _, err := schema.ParseGroupVersion(obj.GetAPIVersion()); err != nil {
		return errors.New("apiVersion is not of the form group/version")
	}
	metadata, ok := obj.Object["metadata"].(map[string]any)
	if !ok {
		return fmt.Errorf("%s: metadata is missing", obj.GetKind())
	}
	if obj.GetGenerateName() != "" {
		return fmt.Errorf("%s: metadata.generateName cannot be applied: give it a name", obj.GetKind())
	}
	name, ok := metadata["name"].(string)
	if !ok && metadata["name"] != nil {
		return fmt.Errorf("%s: metadata.name is not a string: put it in quotes", obj.GetKind())
	}
	if name == "" {
		return fmt.Errorf("%s: metadata.name is missing", obj.GetKind())
	}
	if len(name) > validation.DNS1123SubdomainMaxLength || len(names.IsPathSegmentName(name)) > 0 {
		return fmt.Errorf("%s: metadata.name is not a name", obj.GetKind())
	}
	if namespace, found := metadata["namespace"]; found && namespace != nil {
		s, ok := namespace.(string)
		if !ok || (s != "" && len(validation.IsDNS1123Label(s)) > 0) {
			return fmt.Errorf("%s %s: metadata.namespace is not a DNS label", obj.GetKind(), name)
		}
	}
	for _, field := range []string{"labels", "annotations"} {
		if _, _, err := unstructured.NestedStringMap(obj.Object, "metadata", field); err != nil {
			return fmt.Errorf("%s %s: metadata.%s must be a map of strings: put numbers and booleans in quotes", obj.GetKind(), name, field)
		}
	}
	return nil
}

// clean takes off what a target sets itself, and which an apply must not send.
func clean(obj *unstructured.Unstructured) {
	// Whose it is, is not for the manifests to say.
	for _, label := range []string{v1alpha1.LabelIntegration, v1alpha1.LabelNamespace, labelAdopted} {
		unstructured.RemoveNestedField(obj.Object, "metadata", "labels", label)
	}
	for _, field := range []string{"creationTimestamp", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"} {
		unstructured.RemoveNestedField(obj.Object, "metadata", field)
	}
	gk := obj.GroupVersionKind().GroupKind()
	if gk == crdKind {
		unstructured.RemoveNestedField(obj.Object, "status")
		if clientConfig, found, err := unstructured.NestedMap(obj.Object, "spec", "conversion", "webhook", "clientConfig"); err == nil && found && blankCABundle(clientConfig) {
			unstructured.RemoveNestedField(obj.Object, "spec", "conversion", "webhook", "clientConfig", "caBundle")
		}
	}
	if gk.Group == "admissionregistration.k8s.io" {
		webhooks, _, _ := unstructured.NestedFieldNoCopy(obj.Object, "webhooks")
		list, _ := webhooks.([]any)
		for _, entry := range list {
			webhook, _ := entry.(map[string]any)
			if clientConfig, ok := webhook["clientConfig"].(map[string]any); ok && blankCABundle(clientConfig) {
				delete(clientConfig, "caBundle")
			}
		}
	}
}

// blankCABundle tells a place-holder, which some generators write, from a
// bundle. Applied, it would undo what an injector put there.
func blankCABundle(clientConfig map[string]any) bool {
	encoded, ok := clientConfig["caBundle"].(string)
	if !ok {
		return clientConfig["caBundle"] == nil
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	return err == nil && len(bytes.TrimSpace(decoded)) == 0
}
