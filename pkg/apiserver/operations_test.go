// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

func newInstallation(name string) *v1alpha1.Installation {
	return &v1alpha1.Installation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: v1alpha1.InstallationSpec{Integration: "app", Target: "one", Type: v1alpha1.IntegrationTypeArgoCD, Enabled: true,
			Config: map[string]string{"namespace": "argocd"}},
	}
}

// What is asked for through a subresource cannot be forged by any other request.
func TestRequestsAreNotForged(t *testing.T) {
	t.Parallel()
	f := start(t)
	installations := f.ksit.KsitV1alpha1().Installations("default")
	if _, err := installations.Create(t.Context(), newInstallation("app.one"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	record, err := installations.Reconcile(t.Context(), "app.one", &v1alpha1.ReconcileRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const me = "system:apiserver"
	if record.Status.ID == "" || record.Status.RequestedBy != me || record.Status.RequestedAt.IsZero() {
		t.Errorf("answered %+v", record)
	}
	const forged = `{"id":"forged","type":"Rollback","requestedBy":"carol","requestedAt":"2026-11-01T12:00:00Z"}`
	for name, body := range map[string]struct {
		kind types.PatchType
		text string
		sub  []string
	}{
		"merge patch":     {types.MergePatchType, `{"spec":{"operation":` + forged + `}}`, nil},
		"removal":         {types.MergePatchType, `{"spec":{"operation":null}}`, nil},
		"JSON patch":      {types.JSONPatchType, `[{"op":"replace","path":"/spec/operation","value":` + forged + `}]`, nil},
		"apply":           {types.ApplyPatchType, `{"apiVersion":"ksit.io/v1alpha1","kind":"Installation","metadata":{"name":"app.one"},"spec":{"operation":` + forged + `,"integration":"app","target":"one","type":"argocd"}}`, nil},
		"patch of status": {types.MergePatchType, `{"spec":{"operation":` + forged + `}}`, []string{"status"}},
	} {
		options := metav1.PatchOptions{}
		if body.kind == types.ApplyPatchType {
			options.FieldManager, options.Force = "carol", new(true)
		}
		after, err := installations.Patch(t.Context(), "app.one", body.kind, []byte(body.text), options, body.sub...)
		if err == nil && (after.Spec.Operation == nil || after.Spec.Operation.ID != record.Status.ID) {
			t.Errorf("%s: asks for %+v", name, after.Spec.Operation)
		}
		if err != nil && !apierrors.IsInvalid(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	integrations := f.ksit.KsitV1alpha1().Integrations("default")
	made := newIntegration("app")
	made.Annotations = map[string]string{v1alpha1.AnnotationReconcileRequestedBy: "carol"}
	if made, err = integrations.Create(t.Context(), made, metav1.CreateOptions{}); err != nil || len(made.Annotations) != 0 {
		t.Errorf("made with %v, %v", made.Annotations, err)
	}
	asked, err := integrations.Reconcile(t.Context(), "app", &v1alpha1.ReconcileRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	after, err := integrations.Get(t.Context(), "app", metav1.GetOptions{})
	if err != nil || after.Annotations[v1alpha1.AnnotationReconcile] != asked.Status.ID || after.Annotations[v1alpha1.AnnotationReconcileRequestedBy] != me {
		t.Errorf("annotated with %v, %v", after.Annotations, err)
	}
}

// A log is text, and who follows it is let go when the server stops.
func TestLog(t *testing.T) {
	t.Parallel()
	f := start(t)
	installations := f.ksit.KsitV1alpha1().Installations("default")
	if _, err := installations.Create(t.Context(), newInstallation("app.one"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	said := func(message string) {
		t.Helper()
		lines := &v1alpha1.InstallationLog{Lines: []v1alpha1.LogLine{{Time: metav1.NowMicro(), Message: message}}}
		if _, err := installations.AppendLog(t.Context(), "app.one", lines, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	said("first")
	const path = "/apis/ksit.io/v1alpha1/namespaces/default/installations/app.one/log"
	for _, accept := range []string{"application/json, */*", "text/plain"} {
		response := f.raw(t, path+"?follow=true&tailLines=10", http.Header{"Accept": {accept}})
		defer response.Body.Close()
		if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/plain") {
			if accept == "text/plain" && response.StatusCode == http.StatusNotAcceptable {
				// As pods/log answers.
				continue
			}
			body, _ := io.ReadAll(response.Body)
			t.Fatalf("%s, %s: %s", response.Status, kind, body)
		}
		lines := bufio.NewScanner(response.Body)
		lines.Scan()
		said("second")
		if first := lines.Text(); first != "first" || !lines.Scan() || lines.Text() != "second" {
			t.Errorf("followed %q, then %q", first, lines.Text())
		}
	}
	began := time.Now()
	f.stop()
	<-f.stopped
	if took := time.Since(began); took > 30*time.Second || f.err != nil {
		t.Errorf("the server stopped after %s with %v", took, f.err)
	}
}
