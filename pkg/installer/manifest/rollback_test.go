// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

var secrets = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}

// failing is applied after all configuration, and never goes through.
const failing = "---\n{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: nowhere}, spec: {containers: [{name: a, image: a}]}}\n"

// twoVersions is thingCRD with another version.
const twoVersions = thingCRD + `  - name: v2
    served: true
    storage: false
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

func (tg *target) rollBack(req installer.Request) (installer.Result, error) {
	return New(Options{}).Rollback(tg.t.Context(), tg.conn, req)
}

func (tg *target) mustRollBack(req installer.Request) v1alpha1.ReleaseStatus {
	tg.t.Helper()
	result, err := tg.rollBack(req)
	if err != nil || len(result.Releases) != 1 {
		tg.t.Fatalf("rolling back: %v, %+v", err, result)
	}
	return result.Releases[0]
}

func (tg *target) mustFail(req installer.Request) {
	tg.t.Helper()
	if _, err := New(Options{}).Apply(tg.t.Context(), tg.conn, req); err == nil {
		tg.t.Fatal("it went through")
	}
}

func (tg *target) value(name string) string {
	tg.t.Helper()
	obj := tg.get(configMaps, "apps", name)
	if obj == nil {
		return ""
	}
	value, _, _ := unstructured.NestedString(obj.Object, "data", "key")
	return value
}

func (tg *target) wantValues(want map[string]string) {
	tg.t.Helper()
	for name, value := range want {
		if got := tg.value(name); got != value {
			tg.t.Errorf("%s has %q, want %q", name, got, value)
		}
	}
}

func testRollback(t *testing.T, tg *target) {
	good := request(thingCRD + configMap("a", "1") + configMap("b", "1"))
	first, _ := tg.mustApply(good)
	tg.count(nil)
	if result, err := tg.rollBack(good); err != nil || result.Changed || len(result.Releases) != 1 || len(tg.written()) > 0 {
		t.Errorf("a rollback of what went through: %+v, %v, writes %v", result, err, tg.written())
	}

	bad := request(twoVersions + configMap("a", "2") + configMap("c", "2") + failing)
	tg.mustFail(bad)
	tg.wantValues(map[string]string{"a": "2", "b": "1", "c": "2"})
	back := tg.mustRollBack(bad)
	tg.wantValues(map[string]string{"a": "1", "b": "1", "c": ""})
	if back.Digest != first.Digest || back.Objects != 3 || back.Chart != first.Chart {
		t.Errorf("rolled back to %+v, from %+v", back, first)
	}
	if versions, _, _ := unstructured.NestedSlice(tg.get(crds, "", "things.example.com").Object, "spec", "versions"); len(versions) != 2 {
		t.Errorf("the CRD was rolled back: %v", versions)
	}

	tg.count(nil)
	if result, err := tg.rollBack(bad); err != nil || result.Changed || len(tg.written()) > 0 {
		t.Errorf("a second rollback: %+v, %v, writes %v", result, err, tg.written())
	}
	if _, changed := tg.mustApply(good); changed || len(tg.written()) > 0 {
		t.Errorf("what it was rolled back to is applied again: %v", tg.written())
	}
	r := newRelease(tg.conn, testOwner, "apps", "app")
	if err := r.read(t.Context()); err != nil {
		t.Fatal(err)
	}
	applied, err := r.applied(t.Context())
	if err != nil || len(applied) != 2 || applied[0].GetLabels()[v1alpha1.LabelIntegration] != "app" || applied[0].GetKind() != "ConfigMap" {
		t.Errorf("applied %v, %v", applied, err)
	}

	tg.mustUninstall(back)
	if tg.get(secrets, "apps", "ksit-applied-app") != nil {
		t.Error("the Secret with what was applied is left")
	}
	if err := tg.conn.Dynamic().Resource(crds).Delete(t.Context(), "things.example.com", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// testRollbackNotReady has a revision fail after it was applied as a whole.
func testRollbackNotReady(t *testing.T, tg *target) {
	tg.mustApply(request(configMap("a", "1") + configMap("b", "1")))
	bad := request(configMap("a", "2") + "---\n" +
		"{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}}}\n")
	short := bad
	short.Timeout = 3 * time.Second
	if _, err := New(Options{}).Apply(t.Context(), tg.conn, short); installer.ReasonOf(err) != installer.ReasonNotReady {
		t.Errorf("error %v", err)
	}
	back := tg.mustRollBack(bad)
	tg.wantValues(map[string]string{"a": "1", "b": "1"})
	if tg.get(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, "apps", "d") != nil {
		t.Error("what the failed revision made is left")
	}
	tg.mustUninstall(back)
}

func testNothingToRollBack(t *testing.T, tg *target) {
	wantNothing := func(req installer.Request, says string) {
		t.Helper()
		tg.count(nil)
		_, err := tg.rollBack(req)
		if installer.ReasonOf(err) != installer.ReasonNothingToRollBack || !installer.IsTerminal(err) || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v", err)
		}
		if len(tg.written()) > 0 {
			t.Errorf("writes %v", tg.written())
		}
	}
	bad := request(configMap("a", "2") + failing)
	wantNothing(bad, "no revision")
	tg.mustFail(bad)
	wantNothing(bad, "no revision")
	tg.wantValues(map[string]string{"a": "2"})

	release, _ := tg.mustApply(request(configMap("a", "1")))
	tg.deleteSecret("ksit-applied-app")
	tg.mustFail(bad)
	wantNothing(bad, "ksit-applied-app")

	// What was tampered with is not applied.
	tg.mustApply(request(configMap("a", "1")))
	tg.mustFail(bad)
	forged, err := encodeSnapshot(snapshot{Objects: []map[string]any{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "forged"}}}})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := tg.env.Client.CoreV1().Secrets("apps").Get(t.Context(), "ksit-applied-app", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for key := range secret.Data {
		secret.Data[key] = forged
	}
	if _, err := tg.env.Client.CoreV1().Secrets("apps").Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	wantNothing(bad, "changed since")
	tg.mustUninstall(release)
}

func (tg *target) deleteSecret(name string) {
	tg.t.Helper()
	if err := tg.env.Client.CoreV1().Secrets("apps").Delete(tg.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		tg.t.Fatal(err)
	}
}

// testManyFailures makes sure that the last good revision outlasts any number of
// failures, and that what is kept does not grow.
func testManyFailures(t *testing.T, tg *target) {
	tg.mustApply(request(configMap("a", "good")))
	var bad installer.Request
	for n := range 12 {
		bad = request(configMap("a", fmt.Sprint(n)) + configMap(fmt.Sprintf("extra-%d", n), "1") + failing)
		tg.mustFail(bad)
	}
	secret, err := tg.env.Client.CoreV1().Secrets("apps").Get(t.Context(), "ksit-applied-app", metav1.GetOptions{})
	if err != nil || len(secret.Data) != 2 {
		t.Errorf("%d revisions are kept, %v", len(secret.Data), err)
	}
	back := tg.mustRollBack(bad)
	tg.wantValues(map[string]string{"a": "good", "extra-0": "", "extra-5": "", "extra-11": ""})
	tg.mustUninstall(back)
}

// testRollbackKilled breaks off a rollback at every single write, and expects
// the next one to finish.
func testRollbackKilled(t *testing.T, tg *target) {
	good := request(configMap("a", "1") + configMap("b", "1"))
	bad := request(configMap("a", "2") + configMap("c", "1") + failing)
	for n := 1; ; n++ {
		tg.mustApply(good)
		tg.mustFail(bad)
		through := tg.breakOffWith(n, func(ctx context.Context) error {
			_, err := New(Options{}).Rollback(ctx, tg.conn, bad)
			return err
		})
		tg.checkInventory()
		release := tg.mustRollBack(bad)
		tg.wantValues(map[string]string{"a": "1", "b": "1", "c": ""})
		tg.mustUninstall(release)
		if through {
			t.Logf("broke off at each of %d writes", n-1)
			return
		}
	}
}

// testOlder takes up what a KSIT installed that kept nothing of what it applied.
func testOlder(t *testing.T, tg *target) {
	good := request(configMap("a", "1"))
	tg.mustApply(good)
	tg.deleteSecret("ksit-applied-app")
	patch := []byte(`{"data":{"good":null}}`)
	if _, err := tg.conn.Dynamic().Resource(configMaps).Namespace("apps").Patch(t.Context(), "ksit-inventory-app", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	tg.mustApply(good)
	tg.count(nil)
	if _, changed := tg.mustApply(good); changed || len(tg.written()) > 0 {
		t.Errorf("changed %v, writes %v", changed, tg.written())
	}
	bad := request(configMap("a", "2") + failing)
	tg.mustFail(bad)
	release := tg.mustRollBack(bad)
	tg.wantValues(map[string]string{"a": "1"})
	tg.mustUninstall(release)
}

// testRollbackTo goes back and forth between revisions that went through.
func testRollbackTo(t *testing.T, tg *target) {
	revision := func(value string) installer.Request { return request(configMap("a", value)) }
	for _, value := range []string{"1", "2", "3"} {
		tg.mustApply(revision(value))
	}
	to := func(number int64) installer.Request {
		req := revision("3")
		req.To = &installer.Revision{Number: number}
		return req
	}
	kept := installer.Query{Request: revision("3")}
	kept.Request.Recorded = []v1alpha1.ReleaseStatus{{Name: "app", Namespace: "apps"}}
	histories, err := New(Options{}).History(t.Context(), tg.conn, kept)
	if err != nil {
		t.Fatal(err)
	}
	var numbers []int64
	for _, r := range histories[0].Revisions {
		numbers = append(numbers, r.Revision)
	}
	if !slices.Equal(numbers, []int64{3, 2, 1}) {
		t.Errorf("the history has %v", numbers)
	}
	kept.Revision = 1
	if shown, err := New(Options{}).Manifest(t.Context(), tg.conn, kept); err != nil || shown[0].Revision != 1 || !strings.Contains(shown[0].Manifest, `"1"`) {
		t.Errorf("the first revision: %+v, %v", shown, err)
	}

	first := to(1)
	first.Hold = &v1alpha1.Hold{Digest: "sha256:three", RequestedBy: "alice"}
	back := tg.mustRollBack(first)
	tg.wantValues(map[string]string{"a": "1"})
	hold, releases, err := New(Options{}).Held(t.Context(), tg.conn, revision("3"))
	if err != nil || hold == nil || hold.Digest != "sha256:three" || hold.RequestedBy != "alice" || hold.Revision != 1 || len(releases) != 1 || releases[0].Revision != 4 {
		t.Errorf("held %+v, releases %+v: %v", hold, releases, err)
	}
	if back.Revision != 4 {
		t.Errorf("rolled back to %+v", back)
	}
	result, err := tg.rollBack(to(0))
	if err != nil || result.To != (installer.Revision{Release: "app", Number: 3}) {
		t.Errorf("the one before: %+v, %v", result, err)
	}
	tg.wantValues(map[string]string{"a": "3"})
	if hold, _, err := New(Options{}).Held(t.Context(), tg.conn, revision("3")); err != nil || hold != nil {
		t.Errorf("it still holds: %+v, %v", hold, err)
	}
	if result, err := tg.rollBack(to(5)); err != nil || result.Changed {
		t.Errorf("to what stands: %+v, %v", result, err)
	}

	// From one that does not go through.
	tg.mustFail(request(configMap("a", "4") + configMap("b", "4") + failing))
	if result, err = tg.rollBack(to(0)); err != nil || result.To.Number != 5 {
		t.Errorf("from one that failed: %+v, %v", result, err)
	}
	tg.wantValues(map[string]string{"a": "3", "b": ""})

	tg.count(nil)
	for _, wrong := range []installer.Revision{{Number: 99}, {Release: "other", Number: 1}} {
		req := to(0)
		req.To = &wrong
		if result, err := tg.rollBack(req); installer.ReasonOf(err) != installer.ReasonRevisionNotFound || result.Changed || len(tg.written()) > 0 {
			t.Errorf("to %+v: %+v, %v, writes %v", wrong, result, err, tg.written())
		}
	}
	req := to(99)
	if _, err := tg.rollBack(req); !strings.Contains(fmt.Sprint(err), "(the present), 4, 3") {
		t.Errorf("it does not say what there is: %v", err)
	}
}
