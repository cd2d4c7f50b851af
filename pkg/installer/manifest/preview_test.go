// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/preview"
	"ksit.io/ksit/test/env"
)

const secretManifest = "---\n{apiVersion: v1, kind: Secret, metadata: {name: keys}, stringData: {password: %s, other: fixed-value}}\n"

func (tg *target) preview(req installer.Request, unchanged bool) *v1alpha1.InstallationDiffStatus {
	tg.t.Helper()
	tg.count(nil)
	plan, err := New(Options{}).Preview(tg.t.Context(), tg.conn, req)
	if err != nil {
		tg.t.Fatalf("Preview: %v", err)
	}
	found, err := preview.Compare(tg.t.Context(), tg.conn, plan, unchanged)
	if err != nil {
		tg.t.Fatalf("Compare: %v", err)
	}
	if written := tg.written(); len(written) > 0 {
		tg.t.Errorf("a preview writes %q", written)
	}
	return found
}

func changes(found *v1alpha1.InstallationDiffStatus) []string {
	var out []string
	for _, o := range found.Objects {
		out = append(out, fmt.Sprintf("%s %s %s", o.Change, o.Kind, o.Name))
	}
	return out
}

func all(found *v1alpha1.InstallationDiffStatus) string {
	var out strings.Builder
	for _, o := range found.Objects {
		out.WriteString(o.Diff + o.Message)
	}
	return out.String() + strings.Join(found.Notes, "\n")
}

func wantParts(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

// TestPreview goes from nothing to a release and on to another, and asks before
// each step what it will do, and after it what there is.
func TestPreview(t *testing.T) {
	t.Parallel()
	tg := newTarget(t, env.Options{})
	first := request(configMap("a", "1") + configMap("b", "1") + fmt.Sprintf(secretManifest, "hunter2-secret") + thingCRD + thing)
	found := tg.preview(first, false)
	want := []string{"Added CustomResourceDefinition things.example.com", "Added ConfigMap a", "Added ConfigMap b", "Added Secret keys", "Added Thing one"}
	if diff := cmp.Diff(want, changes(found)); diff != "" {
		t.Errorf("before the install (-want +got)\n%s", diff)
	}
	wantParts(t, all(found), "1 objects are of kinds that the cluster does not know yet", "3 objects are in namespaces that would be made", "password: <redacted>")
	if r := found.Releases[0]; r.Revision != 1 || r.Chart != "configmap/m" || r.Objects != 5 {
		t.Errorf("release %+v", r)
	}

	installed, _ := tg.mustApply(first)
	first.Recorded = []v1alpha1.ReleaseStatus{installed}
	if found := tg.preview(first, false); found.Summary != (v1alpha1.DiffSummary{Unchanged: 5}) || len(found.Notes) != 0 {
		t.Errorf("of what stands: %+v, %q", found.Summary, changes(found))
	}

	tg.create("apps", "theirs", map[string]string{v1alpha1.LabelIntegration: "x", v1alpha1.LabelNamespace: "y"})
	next := request(configMap("a", "2") + configMap("c", "1") + fmt.Sprintf(secretManifest, "correct-horse") + thing +
		"---\n{apiVersion: v1, kind: Service, metadata: {name: bad}, spec: {ports: [{port: 99999}]}}\n")
	next.Recorded = first.Recorded
	found = tg.preview(next, false)
	want = []string{"Changed ConfigMap a", "Added ConfigMap c", "Changed Secret keys", "Refused Service bad", "Removed ConfigMap b"}
	if diff := cmp.Diff(want, changes(found)); diff != "" {
		t.Errorf("before the change (-want +got)\n%s", diff)
	}
	wantParts(t, all(found), `-  key: "1"`, `+  key: "2"`, "+  password: <redacted, changed>", "things.example.com stays")
	if text := all(found); strings.Contains(text, "correct-horse") || strings.Contains(text, "hunter2") || strings.Contains(text, "fixed-value") || strings.Contains(text, "aHVudGVy") {
		t.Errorf("shows a secret:\n%s", text)
	}
	if found.Summary != (v1alpha1.DiffSummary{Added: 1, Changed: 2, Removed: 1, Unchanged: 1}) {
		t.Errorf("summary %+v", found.Summary)
	}

	_, err := New(Options{}).Preview(t.Context(), tg.conn, request(configMap("theirs", "1")))
	if installer.ReasonOf(err) != installer.ReasonReleaseConflict {
		t.Errorf("over the object of another: %v", err)
	}
	t.Run("history", func(t *testing.T) { tg.testHistory(t, first) })
}

func (tg *target) testHistory(t *testing.T, first installer.Request) {
	i := New(Options{})
	histories, err := i.History(t.Context(), tg.conn, installer.Query{Request: first})
	if err != nil || len(histories[0].Revisions) != 1 {
		t.Fatalf("history: %+v, %v", histories, err)
	}
	if r := histories[0].Revisions[0]; r.Revision != 1 || r.Status != "deployed" || r.Digest != first.Recorded[0].Digest || r.DeployedAt == nil || r.Chart != "configmap/m" {
		t.Errorf("revision %+v", r)
	}
	manifests, err := i.Manifest(t.Context(), tg.conn, installer.Query{Request: first})
	if err != nil {
		t.Fatal(err)
	}
	wantParts(t, manifests[0].Manifest, "kind: Thing", "password: <redacted>", "other: <redacted>")
	if strings.Contains(manifests[0].Manifest, "hunter2") {
		t.Errorf("shows a secret:\n%s", manifests[0].Manifest)
	}
	if _, err := i.Manifest(t.Context(), tg.conn, installer.Query{Request: first, Revision: 9}); installer.ReasonOf(err) != installer.ReasonReleaseMissing {
		t.Errorf("of a revision that is not kept: %v", err)
	}

	// The next revision is applied, and does not become ready.
	next := request(configMap("a", "2"))
	next.Recorded = first.Recorded
	r := requested(tg.conn, next)
	if _, err := i.apply(t.Context(), r, next); err != nil {
		t.Fatal(err)
	}
	r.stored.Good = first.Recorded[0].Digest
	if err := r.write(t.Context(), r.stored); err != nil {
		t.Fatal(err)
	}
	histories, err = i.History(t.Context(), tg.conn, installer.Query{Request: next})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range histories[0].Revisions {
		got = append(got, fmt.Sprintf("%d %s %s", r.Revision, r.Status, r.Description))
	}
	want := []string{"2 deployed applied; its objects were not all ready yet", "1 superseded applied, and its objects were ready"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got)\n%s", diff)
	}
	if err := tg.env.Client.CoreV1().ConfigMaps("apps").Delete(t.Context(), "ksit-inventory-app", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if histories, err = i.History(t.Context(), tg.conn, installer.Query{Request: next}); err != nil || len(histories[0].Revisions) != 0 {
		t.Errorf("without an inventory: %+v, %v", histories, err)
	}
}
