// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// warnings collects what the server warns of.
type warnings struct {
	t *testing.T
}

func (w warnings) HandleWarningHeader(_ int, _, text string) {
	w.t.Errorf("the server warns: %s", text)
}

// TestSamples creates every shipped sample, strictly and without a warning.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob("../../artifacts/samples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("found samples %v (error %v)", files, err)
	}
	f := start(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			config := rest.CopyConfig(f.client)
			config.WarningHandler = warnings{t}
			client, err := dynamic.NewForConfig(config)
			if err != nil {
				t.Fatal(err)
			}
			for _, object := range read(t, file) {
				if object.GroupVersionKind().Group != v1alpha1.GroupName {
					// The host cluster's, such as a Secret that a sample refers to.
					continue
				}
				resource, _ := meta.UnsafeGuessKindToResource(v1alpha1.SchemeGroupVersion.WithKind(object.GetKind()))
				objects := client.Resource(resource).Namespace(object.GetNamespace())
				_, err := objects.Create(t.Context(), object, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
				if err != nil {
					t.Fatal(err)
				}
				// Two samples may be ways to the same thing.
				defer func() {
					if err := objects.Delete(context.Background(), object.GetName(), metav1.DeleteOptions{}); err != nil {
						t.Error(err)
					}
				}()
			}
		})
	}
}

func read(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	opened, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	var objects []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(opened, 4096); ; {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
}
