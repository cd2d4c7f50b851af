// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/test/env"
)

const driftManifests = `
apiVersion: v1
kind: Namespace
metadata: {name: extra, labels: {purpose: test}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one, namespace: extra}
data: {text: first, more: first}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: two}
data: {text: first}
---
apiVersion: v1
kind: Secret
metadata: {name: three}
stringData: {text: first, more: first}
`

// TestDrift has drift found and corrected, and what is ignored left.
func TestDrift(t *testing.T) {
	t.Parallel()
	tg := newTarget(t, env.Options{})
	i := New(Options{})
	release, _ := tg.mustApply(request(driftManifests))
	check := installer.DriftCheck{Owner: testOwner, Releases: []v1alpha1.ReleaseStatus{release}, Ignore: []v1alpha1.DriftIgnore{
		{Kind: "ConfigMap", Name: "one", Paths: []string{"/data/more"}}, {Kind: "Secret", Paths: []string{"/data/more"}},
	}}
	tg.expectDrift(i, check)
	tg.expectDrift(i, check)

	secrets, namespaces := schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	tg.disturb(configMaps, "extra", "one", `{"metadata": {"labels": {"ksit.io/integration": null}}, "data": {"text": "x", "more": "x", "theirs": "x"}}`)
	tg.disturb(secrets, "apps", "three", `{"data": {"text": "eA==", "more": "eA=="}}`)
	tg.disturb(namespaces, "", "extra", `{"metadata": {"labels": {"purpose": "x"}}}`)
	tg.delete("apps", "two")
	tg.count(nil)
	want := []string{
		"ConfigMap two is missing", "ConfigMap one /data/text,/metadata/labels/ksit.io~1integration",
		"Namespace extra /metadata/labels/purpose", "Secret three /data/text",
	}
	tg.expectDrift(i, check, want...)
	if n := len(tg.written()); n != 0 {
		t.Errorf("looking for drift wrote %q", tg.written())
	}
	corrected, err := i.Correct(t.Context(), tg.conn, check)
	if err != nil {
		t.Fatalf("correcting: %v", err)
	}
	if diff := cmp.Diff(want, driftLines(corrected)); diff != "" {
		t.Errorf("corrected (-want +got): %s", diff)
	}
	tg.expectDrift(i, check)
	one, three, extra := tg.get(configMaps, "extra", "one"), tg.get(secrets, "apps", "three"), tg.get(namespaces, "", "extra")
	if diff := cmp.Diff(map[string]any{"text": "first", "more": "x", "theirs": "x"}, one.Object["data"]); diff != "" {
		t.Errorf("the ConfigMap (-want +got): %s", diff)
	}
	if diff := cmp.Diff(map[string]any{"text": "Zmlyc3Q=", "more": "eA=="}, three.Object["data"]); diff != "" {
		t.Errorf("the Secret (-want +got): %s", diff)
	}
	if owner, _ := ownerOf(extra.GetLabels()); owner != testOwner || extra.GetLabels()["purpose"] != "test" {
		t.Errorf("labels of the namespace: %v", extra.GetLabels())
	}

	// What is applied next takes away what it no longer sets.
	tg.mustApply(request(strings.Replace(driftManifests, "stringData: {text: first, ", "stringData: {", 1)))
	if data := tg.get(secrets, "apps", "three").Object["data"]; !cmp.Equal(data, map[string]any{"more": "Zmlyc3Q="}) {
		t.Errorf("the Secret after another apply has %v", data)
	}
	tg.expectDrift(i, check)
}

// TestDriftOfOthers leaves what is another Integration's by now.
func TestDriftOfOthers(t *testing.T) {
	t.Parallel()
	tg := newTarget(t, env.Options{})
	i := New(Options{})
	release, _ := tg.mustApply(request("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {text: first}\n"))
	check := installer.DriftCheck{Owner: testOwner, Releases: []v1alpha1.ReleaseStatus{release}}
	tg.disturb(configMaps, "apps", "one", `{"metadata": {"labels": {"ksit.io/integration": "other"}}, "data": {"text": "x"}}`)
	tg.count(nil)
	_, err := i.Correct(t.Context(), tg.conn, check)
	if installer.ReasonOf(err) != installer.ReasonReleaseConflict || !strings.Contains(err.Error(), "team/other") {
		t.Errorf("correcting: %v", err)
	}
	if n := len(tg.written()); n != 0 {
		t.Errorf("the object of another Integration was written: %q", tg.written())
	}
}

func (tg *target) expectDrift(i *Installer, check installer.DriftCheck, want ...string) {
	tg.t.Helper()
	found, err := i.Drift(tg.t.Context(), tg.conn, check)
	if err != nil {
		tg.t.Fatalf("looking for drift: %v", err)
	}
	if diff := cmp.Diff(want, driftLines(found)); diff != "" {
		tg.t.Errorf("drift (-want +got): %s", diff)
	}
}

func driftLines(found installer.Drift) []string {
	var out []string
	for _, r := range found.Resources {
		line := r.Kind + " " + r.Name + " " + strings.Join(r.Fields, ",")
		if r.Missing {
			line += "is missing"
		}
		out = append(out, line)
	}
	return out
}

func (tg *target) disturb(gvr schema.GroupVersionResource, namespace, name, patch string) {
	tg.t.Helper()
	_, err := tg.conn.Dynamic().Resource(gvr).Namespace(namespace).Patch(tg.t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "somebody"})
	if err != nil {
		tg.t.Fatal(err)
	}
}
