// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/test/env"
)

// TestOnCluster runs everything that needs no controllers on one API, the tests
// one after the other, each cleaning up.
func TestOnCluster(t *testing.T) {
	t.Parallel()
	tg := newTarget(t, env.Options{})
	for _, test := range []struct {
		name string
		run  func(*testing.T, *target)
	}{
		{"life", testLife},
		{"CRD with its custom resource", testCRDs},
		{"adoption", testAdoption},
		{"other owners", testOtherOwners},
		{"refused before anything is written", testRefused},
		{"repair", testRepair},
		{"move", testMove},
		{"killed", testKilled},
		{"rollback", testRollback},
		{"rollback of what was not ready", testRollbackNotReady},
		{"nothing to roll back", testNothingToRollBack},
		{"many failures", testManyFailures},
		{"rollback killed", testRollbackKilled},
		{"rollback to a chosen revision", testRollbackTo},
		{"what an older KSIT left", testOlder},
		{"disown", testDisown},
		{"adopted and unwanted", testRemoveAdopted},
		{"adopted outlasts the inventory", testAdoptedStays},
		{"adoption refused", testRefuseFound},
		{"CRD versions in use", testStoredVersions},
		{"a thousand objects", testThousand},
		{"finalizer", testFinalizer},
	} {
		ok := t.Run(test.name, func(t *testing.T) {
			tg.t = t
			tg.count(nil)
			test.run(t, tg)
		})
		if !ok {
			return
		}
	}
}

func testLife(t *testing.T, tg *target) {
	first := request(configMap("a", "1") + configMap("b", "1") + "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: kube-public}}\n")
	release, changed := tg.mustApply(first)
	if !changed {
		t.Error("the first apply changed nothing")
	}
	want := v1alpha1.ReleaseStatus{
		Name: "app", Namespace: "apps", Chart: "configmap/m", Version: shortDigest(release.Digest), Revision: 1,
		Digest: release.Digest, Objects: 3,
	}
	if diff := cmp.Diff(want, release); diff != "" {
		t.Error(diff)
	}
	a := tg.get(configMaps, "apps", "a")
	if a == nil || a.GetLabels()[v1alpha1.LabelIntegration] != "app" || a.GetLabels()[v1alpha1.LabelNamespace] != "team" {
		t.Fatalf("a: %v", a)
	}
	if ns := tg.get(namespaces, "", "apps"); ns.GetLabels()[v1alpha1.LabelIntegration] != "app" {
		t.Errorf("the namespace made has no labels: %v", ns.GetLabels())
	}
	if tg.get(configMaps, "kube-public", "c") == nil {
		t.Error("an object that names its namespace is not there")
	}

	// Again, in another order: nothing is written.
	tg.count(nil)
	again, changed := tg.mustApply(request(configMap("b", "1") + configMap("a", "1") + "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: kube-public}}\n"))
	if changed || len(tg.written()) > 0 {
		t.Errorf("changed %v, writes %v", changed, tg.written())
	}
	if diff := cmp.Diff(release, again); diff != "" {
		t.Error(diff)
	}

	// What is dropped goes, what is new comes.
	second, changed := tg.mustApply(request(configMap("a", "2") + configMap("d", "1")))
	if !changed || second.Revision != 2 || second.Objects != 2 || second.Digest == release.Digest {
		t.Errorf("changed %v, release %+v", changed, second)
	}
	if tg.get(configMaps, "apps", "b") != nil || tg.get(configMaps, "kube-public", "c") != nil || tg.get(configMaps, "apps", "d") == nil {
		t.Error("not pruned, or not added")
	}
	if got, _, _ := unstructured.NestedString(tg.get(configMaps, "apps", "a").Object, "data", "key"); got != "2" {
		t.Errorf("a has %q", got)
	}

	refs, err := New(Options{}).Objects(t.Context(), tg.conn, []v1alpha1.ReleaseStatus{second})
	if err != nil || len(refs) != 2 || describe(refs[0]) != "ConfigMap apps/a" {
		t.Errorf("objects %v, %v", refs, err)
	}

	tg.mustUninstall(second)
	tg.mustUninstall(second)
	if tg.get(configMaps, "apps", "a") != nil || tg.get(configMaps, "apps", "ksit-inventory-app") != nil {
		t.Error("something is left")
	}
	if tg.get(namespaces, "", "apps") == nil {
		t.Error("the namespace is gone")
	}
	_, err = New(Options{}).Objects(t.Context(), tg.conn, []v1alpha1.ReleaseStatus{second})
	if installer.ReasonOf(err) != installer.ReasonReleaseMissing {
		t.Errorf("objects of what is not there: %v", err)
	}
}

func testCRDs(t *testing.T, tg *target) {
	// The custom resource stands first in the stream, in a namespace that comes
	// last.
	stream := "---\n{apiVersion: example.com/v1, kind: Thing, metadata: {name: far, namespace: far}}\n" + thing + thingCRD +
		"---\n{apiVersion: v1, kind: Namespace, metadata: {name: far}}\n"
	release, _ := tg.mustApply(request(stream))
	if tg.get(things, "apps", "one") == nil || tg.get(things, "far", "far") == nil {
		t.Fatal("no things")
	}
	tg.count(nil)
	if _, changed := tg.mustApply(request(stream)); changed || len(tg.written()) > 0 {
		t.Errorf("changed %v, writes %v", changed, tg.written())
	}

	// The next CRD has a new field, which the dry run of a custom resource must
	// not trip over, and a new version.
	next := strings.ReplaceAll(thingCRD, "size: {type: integer}", "size: {type: integer}, color: {type: string}") + `  - name: v2
    served: true
    storage: false
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}
`
	release, _ = tg.mustApply(request(next + "---\n{apiVersion: example.com/v2, kind: Thing, metadata: {name: one}, spec: {size: 1, color: red}}\n"))
	if release.Objects != 2 || tg.get(things, "far", "far") != nil {
		t.Errorf("%+v", release)
	}
	if tg.get(namespaces, "", "far") == nil {
		t.Error("a namespace was pruned")
	}

	tg.mustUninstall(release)
	if tg.get(things, "apps", "one") != nil {
		t.Error("the custom resource is left")
	}
	crd := tg.get(crds, "", "things.example.com")
	if crd == nil || crd.GetLabels()[v1alpha1.LabelIntegration] != "" {
		t.Fatalf("the CRD is gone, or still ours: %v", crd)
	}
	// Another Integration can take it up.
	other := request(thingCRD + thing)
	other.Owner.Integration = "other"
	if _, err := New(Options{}).Apply(t.Context(), tg.conn, other); err != nil {
		t.Fatal(err)
	}
	tg.deleteAll(other.Owner, "apps", "other")
	if err := tg.conn.Dynamic().Resource(crds).Delete(t.Context(), "things.example.com", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	// Gone together with its kind: there is nothing to delete, and no error.
	tg.waitGone(func() bool { return tg.get(crds, "", "things.example.com") == nil })
}

func testRefused(t *testing.T, tg *target) {
	for name, test := range map[string]struct {
		manifests string
		reason    installer.Reason
		terminal  bool
		message   string
	}{
		"unknown kind":         {configMap("a", "1") + "---\n{apiVersion: nowhere.io/v1, kind: Nothing, metadata: {name: a}}\n", installer.ReasonManifestInvalid, false, "Nothing a"},
		"unknown version":      {"{apiVersion: apps/v7, kind: Deployment, metadata: {name: a}}", installer.ReasonManifestInvalid, false, "Deployment a"},
		"twice, but different": {configMap("a", "1") + configMap("a", "2"), installer.ReasonManifestInvalid, true, "ConfigMap apps/a is in the manifests twice"},
		"invalid field": {configMap("a", "1") + "---\n{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: topsecret, ports: [{port: 99999}]}}\n",
			installer.ReasonManifestInvalid, true, "Service apps/a"},
		"unknown field": {configMap("a", "1") + "---\n{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {topless: topsecret}}\n",
			installer.ReasonManifestInvalid, true, "Service apps/a"},
		"wrong type": {configMap("a", "1") + "---\n{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: {topsecret: 1}}}\n",
			installer.ReasonManifestInvalid, true, "Service apps/a"},
		"Secret": {configMap("a", "1") + "---\n{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {key: topsecret!}}\n",
			installer.ReasonManifestInvalid, true, "Secret apps/a"},
		"missing namespace": {"{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: nowhere}}",
			installer.ReasonManifestInvalid, false, "nowhere"},
	} {
		result, err := New(Options{}).Apply(t.Context(), tg.conn, request(test.manifests))
		if err == nil || installer.ReasonOf(err) != test.reason || installer.IsTerminal(err) != test.terminal || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: error %v, reason %s, terminal %v", name, err, installer.ReasonOf(err), installer.IsTerminal(err))
			continue
		}
		t.Logf("%s: %v", name, err)
		if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: the error tells a value", name)
		}
		if tg.get(configMaps, "apps", "a") != nil {
			tg.delete("apps", "a")
			t.Errorf("%s: half of it was applied", name)
		}
		if len(result.Releases) > 0 {
			tg.mustUninstall(result.Releases...)
		}
	}
}

func testRepair(t *testing.T, tg *target) {
	release, _ := tg.mustApply(request(configMap("a", "1") + configMap("b", "1")))
	tg.delete("apps", "b")
	repaired, changed := tg.mustApply(request(configMap("a", "1") + configMap("b", "1")))
	if !changed || tg.get(configMaps, "apps", "b") == nil {
		t.Error("not repaired")
	}
	if diff := cmp.Diff(release, repaired); diff != "" {
		t.Errorf("the repair counts as an upgrade: %s", diff)
	}
	// Without the inventory the objects are taken up again by their labels.
	tg.delete("apps", "ksit-inventory-app")
	again, _ := tg.mustApply(request(configMap("a", "1") + configMap("b", "1")))
	if again.Adopted {
		t.Error("our own objects count as adopted")
	}
	tg.mustUninstall(again)
	if tg.get(configMaps, "apps", "a") != nil {
		t.Error("left")
	}
	// Damage to the inventory is told, and deletes nothing.
	tg.mustApply(request(configMap("a", "1")))
	patch := []byte(`{"binaryData":{"objects.json.gz":"AAAA"}}`)
	if _, err := tg.conn.Dynamic().Resource(configMaps).Namespace("apps").Patch(t.Context(), "ksit-inventory-app", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{}).Apply(t.Context(), tg.conn, request(configMap("a", "1"))); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("error %v", err)
	}
	tg.delete("apps", "ksit-inventory-app")
	release, _ = tg.mustApply(request(configMap("a", "1")))
	tg.mustUninstall(release)
}

func testMove(t *testing.T, tg *target) {
	role := "---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: app}, rules: []}\n"
	release, _ := tg.mustApply(request(configMap("a", "1") + role))
	foreign := v1alpha1.ReleaseStatus{Name: "chart", Namespace: "apps"}
	moved := request(configMap("a", "1") + role)
	moved.Namespace = "elsewhere"
	moved.Recorded = []v1alpha1.ReleaseStatus{release, foreign}
	result, err := New(Options{}).Apply(t.Context(), tg.conn, moved)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Releases) != 1 || result.Releases[0].Namespace != "elsewhere" {
		t.Errorf("releases %v", result.Releases)
	}
	if tg.get(configMaps, "apps", "a") != nil || tg.get(configMaps, "apps", "ksit-inventory-app") != nil || tg.get(configMaps, "elsewhere", "a") == nil {
		t.Error("not moved")
	}
	refs, err := New(Options{}).Objects(t.Context(), tg.conn, result.Releases[:1])
	if err != nil || len(refs) != 2 {
		t.Fatal(refs, err)
	}
	seen, err := newRelease(tg.conn, testOwner, "elsewhere", "app").observe(t.Context(), refs)
	if err != nil || len(seen) != 2 {
		t.Errorf("what both had in common is gone: %v, %v", seen, err)
	}
	// A failure before the target was looked at loses no release.
	broken := request("{")
	broken.Namespace = "elsewhere"
	broken.Recorded = result.Releases
	failed, err := New(Options{}).Apply(t.Context(), tg.conn, broken)
	if err == nil || len(failed.Releases) != 1 {
		t.Errorf("%v, %v", failed, err)
	}
	tg.mustUninstall(result.Releases[:1]...)
}

func testThousand(t *testing.T, tg *target) {
	var stream strings.Builder
	for i := range 1000 {
		stream.WriteString(configMap(fmt.Sprintf("object-%d", i), "1"))
	}
	many := request(stream.String())
	many.Timeout = 5 * time.Minute
	start := time.Now()
	release, _ := tg.mustApply(many)
	t.Logf("installed in %s", time.Since(start))
	if release.Objects != 1000 {
		t.Errorf("%d objects", release.Objects)
	}
	tg.count(nil)
	start = time.Now()
	if _, changed := tg.mustApply(many); changed || len(tg.written()) > 0 {
		t.Errorf("changed %v, %d writes", changed, len(tg.written()))
	}
	t.Logf("found unchanged in %s", time.Since(start))
	start = time.Now()
	tg.mustUninstall(release)
	t.Logf("uninstalled in %s", time.Since(start))
}

func testFinalizer(t *testing.T, tg *target) {
	release, _ := tg.mustApply(request("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, finalizers: [example.com/stuck]}}"))
	err := New(Options{}).Uninstall(t.Context(), tg.conn, installer.Removal{Owner: testOwner, Releases: []v1alpha1.ReleaseStatus{release}, Timeout: time.Second})
	if installer.ReasonOf(err) != installer.ReasonUninstallFailed || !strings.Contains(err.Error(), "ConfigMap apps/a (example.com/stuck)") {
		t.Errorf("error %v", err)
	}
	// To install again, the deletion must end first.
	short := request(configMap("a", "1"))
	short.Timeout = time.Second
	if _, err := New(Options{}).Apply(t.Context(), tg.conn, short); installer.ReasonOf(err) != installer.ReasonNotReady || !strings.Contains(err.Error(), "example.com/stuck") {
		t.Errorf("error %v", err)
	}
	time.AfterFunc(500*time.Millisecond, func() {
		patch := []byte(`{"metadata":{"finalizers":null}}`)
		_, _ = tg.conn.Dynamic().Resource(configMaps).Namespace("apps").Patch(context.Background(), "a", types.MergePatchType, patch, metav1.PatchOptions{})
	})
	release, _ = tg.mustApply(request(configMap("a", "1")))
	if a := tg.get(configMaps, "apps", "a"); a == nil || a.GetDeletionTimestamp() != nil {
		t.Error("not made anew")
	}
	tg.mustUninstall(release)
}
