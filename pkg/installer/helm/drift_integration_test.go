// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// driftChart has objects, a CRD among its templates, a list, and a hook.
var driftChart = files{
	"templates/a.yaml": deployment, "templates/b.yaml": configMap, "templates/c.yaml": crdOf("Lever", "levers"),
	"templates/d.yaml": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: listed}, data: {text: first}}\n",
	"templates/e.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hooked, annotations: {helm.sh/hook: pre-install}}\ndata: {text: first}\n",
}

func TestDrift(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	t.Run("found, corrected, and upgraded over", b.testDrift)
	t.Run("not of what is another's", b.testDriftOfOthers)
	t.Run("not while a revision is not deployed", b.testDriftUndeployed)
}

func (b *bench) drift(t *testing.T, check installer.DriftCheck) []string {
	t.Helper()
	found, err := b.installer.Drift(t.Context(), b.conn, check)
	if err != nil {
		t.Fatalf("looking for drift: %v", err)
	}
	return driftLines(found)
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

// disturb patches and deletes as somebody else.
func (b *bench) disturb(t *testing.T, namespace string) {
	t.Helper()
	_, err := b.Client.AppsV1().Deployments(namespace).Patch(t.Context(), "web", types.MergePatchType,
		[]byte(`{"metadata": {"labels": {"theirs": "x"}}, "spec": {"replicas": 2}}`), metav1.PatchOptions{FieldManager: "somebody"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"web", "listed", "hooked"} {
		if err := b.Client.CoreV1().ConfigMaps(namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func (b *bench) testDrift(t *testing.T) {
	b.charts.add(t, "web", "1.0.0", driftChart)
	b.charts.add(t, "web", "1.1.0", driftChart)
	req := b.request("drift", "web", "1.0.0")
	result := b.apply(t, req)
	check := installer.DriftCheck{Owner: req.Owner, Releases: result.Releases}
	if got := b.drift(t, check); got != nil {
		t.Fatalf("drift of what was just installed: %q", got)
	}
	b.proxy.take()
	if got := b.drift(t, check); got != nil {
		t.Errorf("drift: %q", got)
	}
	// The revisions, Deployments, ConfigMaps and CRDs.
	if requests := b.proxy.take(); len(requests) != 4 || len(writes(requests)) != 0 {
		t.Errorf("to find that nothing changed took %q", requests)
	}

	b.disturb(t, "drift")
	want := []string{"ConfigMap listed is missing", "ConfigMap web is missing", "Deployment web /spec/replicas"}
	if diff := cmp.Diff(want, b.drift(t, check)); diff != "" {
		t.Errorf("drift (-want +got): %s", diff)
	}
	corrected, err := b.installer.Correct(t.Context(), b.conn, check)
	if err != nil {
		t.Fatalf("correcting: %v", err)
	}
	if diff := cmp.Diff(want, driftLines(corrected)); diff != "" || corrected.Total != 3 {
		t.Errorf("%d corrected (-want +got): %s", corrected.Total, diff)
	}
	if got := b.drift(t, check); got != nil {
		t.Errorf("drift after it was corrected: %q", got)
	}
	cm, err := b.Client.CoreV1().ConfigMaps("drift").Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil || cm.Labels[labelManagedBy] != "Helm" || cm.Annotations[annotationReleaseName] != "web" {
		t.Errorf("what was made again is not Helm's: %v, %v", cm.ObjectMeta, err)
	}
	if _, err := b.Client.CoreV1().ConfigMaps("drift").Get(t.Context(), "hooked", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the object of a hook came back: %v", err)
	}
	d, err := b.Client.AppsV1().Deployments("drift").Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil || *d.Spec.Replicas != 1 || d.Labels["theirs"] != "x" {
		t.Errorf("the Deployment has %v, labels %v, %v", d.Spec.Replicas, d.Labels, err)
	}
	revisions, err := listRevisions(t.Context(), b.conn, "drift", releaseQuery("web"))
	if err != nil || len(revisions) != 1 {
		t.Errorf("%d revisions after a correction, %v", len(revisions), err)
	}
	upgrade := withValues(b.request("drift", "web", "1.1.0"), map[string]any{"color": "blue", "replicas": 3})
	if r := b.apply(t, upgrade).Releases[0]; r.Revision != 2 {
		t.Errorf("after the upgrade: %+v", r)
	}
	if got := b.drift(t, check); got != nil {
		t.Errorf("drift after an upgrade: %q", got)
	}
}

func (b *bench) testDriftOfOthers(t *testing.T) {
	b.charts.add(t, "plain", "1.0.0", files{"templates/b.yaml": configMap})
	req := b.request("others", "plain", "1.0.0")
	check := installer.DriftCheck{Owner: req.Owner, Releases: b.apply(t, req).Releases}
	patch := []byte(`{"metadata": {"annotations": {"meta.helm.sh/release-name": "theirs"}}, "data": {"color": "blue"}}`)
	if _, err := b.Client.CoreV1().ConfigMaps("others").Patch(t.Context(), "plain", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := b.drift(t, check); len(got) != 1 {
		t.Errorf("drift: %q", got)
	}
	b.proxy.take()
	_, err := b.installer.Correct(t.Context(), b.conn, check)
	wantReason(t, err, installer.ReasonReleaseConflict, true, "ConfigMap others/plain", "release theirs")
	for _, r := range writes(b.proxy.take()) {
		if !strings.Contains(r, "/configmaps/plain") {
			t.Errorf("request %s", r)
		}
	}
	if cm, err := b.Client.CoreV1().ConfigMaps("others").Get(context.Background(), "plain", metav1.GetOptions{}); err != nil || cm.Data["color"] != "blue" {
		t.Errorf("the object of another release was changed: %v, %v", cm.Data, err)
	}
	check.Owner.Integration = "other"
	if got := b.drift(t, check); got != nil {
		t.Errorf("drift of a release that is another Integration's: %q", got)
	}
}

func (b *bench) testDriftUndeployed(t *testing.T) {
	b.charts.add(t, "torn", "1.0.0", files{"templates/b.yaml": configMap})
	req := b.request("undeployed", "torn", "1.0.0")
	check := installer.DriftCheck{Owner: req.Owner, Releases: b.apply(t, req).Releases, Ignore: []v1alpha1.DriftIgnore{}}
	if err := b.Client.CoreV1().ConfigMaps("undeployed").Delete(t.Context(), "torn", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := b.drift(t, check); len(got) != 1 {
		t.Errorf("drift: %q", got)
	}
	patch := []byte(`{"metadata": {"labels": {"status": "failed"}}}`)
	if _, err := b.Client.CoreV1().Secrets("undeployed").Patch(t.Context(), "sh.helm.release.v1.torn.v1", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := b.drift(t, check); got != nil {
		t.Errorf("drift of a revision that failed: %q", got)
	}
	check.Releases[0].Name = "missing"
	if got := b.drift(t, check); got != nil {
		t.Errorf("drift of a release that is not there: %q", got)
	}
}
