// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
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
	t.Parallel()
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

// TestSamplesShowEverything asks of the samples that every field of a spec is set
// in one of them, and that each file begins by saying what it shows.
func TestSamplesShowEverything(t *testing.T) {
	files, err := filepath.Glob("../../artifacts/samples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(content), "# ") {
			t.Errorf("%s does not begin with a comment", filepath.Base(file))
		}
		for _, object := range read(t, file) {
			if object.GroupVersionKind().Group == v1alpha1.GroupName {
				note(shown, object.GetKind(), object.Object["spec"])
			}
		}
	}
	for kind, spec := range map[string]reflect.Type{
		"Integration":       reflect.TypeFor[v1alpha1.IntegrationSpec](),
		"IntegrationTarget": reflect.TypeFor[v1alpha1.IntegrationTargetSpec](),
	} {
		for _, path := range fields(kind, spec) {
			if !shown[path] {
				t.Errorf("no sample has %s", path)
			}
		}
	}
}

// note takes down the paths of all fields that are set.
func note(shown map[string]bool, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			shown[path+"."+key] = true
			note(shown, path+"."+key, inner)
		}
	case []any:
		for _, inner := range v {
			note(shown, path, inner)
		}
	}
}

// fields are the paths of all fields of a type of KSIT and of those in it.
func fields(path string, of reflect.Type) []string {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || of.PkgPath() != reflect.TypeFor[v1alpha1.IntegrationSpec]().PkgPath() {
		return nil
	}
	var paths []string
	for n := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(n).Tag.Get("json"), ",")
		paths = append(append(paths, path+"."+name), fields(path+"."+name, of.Field(n).Type)...)
	}
	return paths
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
