// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// recordVariable names the directory into which the data of this KSIT is recorded;
// hack/record-release.sh sets it.
const recordVariable = "KSIT_RECORD_RELEASE"

// TestRecordedIsComplete has this KSIT store the objects of testdata/record, with
// status, logs and operations. Every field of the API is in one of them: a field
// that is added is added there as well.
func TestRecordedIsComplete(t *testing.T) {
	f := start(t)
	fill(t, f)
	shown := f.show(t)
	seen := map[string]bool{}
	for _, objects := range []any{shown.Integrations, shown.IntegrationTargets, shown.Installations} {
		noteFields(reflect.ValueOf(objects), seen)
	}
	for _, kind := range []any{v1alpha1.Integration{}, v1alpha1.IntegrationTarget{}, v1alpha1.Installation{}} {
		for _, field := range fieldsOf(reflect.TypeOf(kind), nil) {
			if !seen[field] {
				t.Errorf("%s is in none of the objects of testdata/record", field)
			}
		}
	}
	if log := shown.Logs["team-a/full.one"]; !strings.Contains(log, "a line of the log") {
		t.Errorf("the log is %q", log)
	}
	if dir := os.Getenv(recordVariable); dir != "" {
		if err := writeData(dir, dump(t, f.etcd), shown); err != nil {
			t.Fatal(err)
		}
	}
}

// fill creates the objects of testdata/record.
func fill(t *testing.T, f *fixture) {
	t.Helper()
	client, err := dynamic.NewForConfig(f.client)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/record/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no objects to record: %v", err)
	}
	for _, file := range files {
		for _, object := range read(t, file) {
			resource, _ := meta.UnsafeGuessKindToResource(v1alpha1.SchemeGroupVersion.WithKind(object.GetKind()))
			objects := client.Resource(resource).Namespace(object.GetNamespace())
			made, err := objects.Create(t.Context(), object, metav1.CreateOptions{FieldManager: "author", FieldValidation: metav1.FieldValidationStrict})
			if err != nil {
				t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
			}
			status, found, _ := unstructured.NestedMap(object.Object, "status")
			if !found {
				continue
			}
			made.Object["status"] = status
			if _, err := objects.UpdateStatus(t.Context(), made, metav1.UpdateOptions{FieldManager: "ksit", FieldValidation: metav1.FieldValidationStrict}); err != nil {
				t.Fatalf("status of %s %s: %v", object.GetKind(), object.GetName(), err)
			}
		}
	}
	installations := f.ksit.KsitV1alpha1().Installations("team-a")
	at := metav1.NewMicroTime(time.Date(2026, 2, 2, 10, 0, 0, 123456000, time.UTC))
	lines := &v1alpha1.InstallationLog{Lines: []v1alpha1.LogLine{{Time: at, Message: "a line of the log"}, {Time: at, Message: "another"}}}
	if _, err := installations.AppendLog(t.Context(), "full.one", lines, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	asked := &v1alpha1.RollbackRequest{Spec: v1alpha1.RollbackRequestSpec{Release: "full-release", Revision: 2}}
	if _, err := installations.Rollback(t.Context(), "full.one", asked, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := installations.Reconcile(t.Context(), "inline.one", &v1alpha1.ReconcileRequest{}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// ours tells whether a type is one of the API, rather than of Kubernetes.
func ours(kind reflect.Type) bool {
	return kind.PkgPath() == reflect.TypeFor[v1alpha1.Integration]().PkgPath()
}

func fieldName(of reflect.Type, field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return of.Name() + "." + name
}

// noteFields notes all fields of the API that are set somewhere in a value.
func noteFields(value reflect.Value, seen map[string]bool) {
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() {
			noteFields(value.Elem(), seen)
		}
	case reflect.Slice:
		for n := range value.Len() {
			noteFields(value.Index(n), seen)
		}
	case reflect.Struct:
		if !ours(value.Type()) {
			return
		}
		for n := range value.NumField() {
			if !value.Field(n).IsZero() {
				seen[fieldName(value.Type(), value.Type().Field(n))] = true
				noteFields(value.Field(n), seen)
			}
		}
	}
}

// fieldsOf names all fields of the API below a type. That an object has a name and a
// kind goes without saying.
func fieldsOf(kind reflect.Type, above []reflect.Type) []string {
	for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice {
		kind = kind.Elem()
	}
	if kind.Kind() != reflect.Struct || !ours(kind) || slices.Contains(above, kind) {
		return nil
	}
	var all []string
	for n := range kind.NumField() {
		if field := kind.Field(n); !field.Anonymous {
			all = append(all, fieldName(kind, field))
			all = append(all, fieldsOf(field.Type, append(above, kind))...)
		}
	}
	return all
}
