// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

func testDisown(t *testing.T, tg *target) {
	mine := request(configMap("a", "1") + configMap("b", "1"))
	mine.Namespace = "left"
	release, _ := tg.mustApply(mine)
	other := mine
	other.Owner.Integration = "other"
	disown := func(owner installer.Owner, name string) {
		t.Helper()
		release.Name = name
		if err := New(Options{}).Disown(t.Context(), tg.conn, owner, []v1alpha1.ReleaseStatus{release}); err != nil {
			t.Fatal(err)
		}
	}
	tg.count(nil)
	disown(other.Owner, "app")
	disown(testOwner, "never-there")
	if len(tg.written()) > 0 {
		t.Errorf("what is not the owner's was touched: %v", tg.written())
	}
	for range 2 {
		disown(testOwner, "app")
	}
	for _, name := range []string{"a", "b"} {
		if obj := tg.get(configMaps, "left", name); obj == nil || len(obj.GetLabels()) > 0 {
			t.Errorf("%s: %v", name, obj)
		}
	}
	if ns := tg.get(namespaces, "", "left"); ns.GetLabels()[v1alpha1.LabelIntegration] != "" {
		t.Errorf("the namespace still has its labels: %v", ns.GetLabels())
	}
	if tg.get(configMaps, "left", "ksit-inventory-app") != nil || tg.get(secrets, "left", "ksit-applied-app") != nil {
		t.Error("the inventory, or what was applied, is left")
	}

	// Now another one can have it, and what it adopted stays when it goes.
	adopted, _ := tg.mustApply(other)
	if !adopted.Adopted {
		t.Errorf("release %+v", adopted)
	}
	tg.deleteAll(other.Owner, "left", "other")
	if tg.get(configMaps, "left", "a") == nil {
		t.Error("what was adopted is gone")
	}
}

func testRemoveAdopted(t *testing.T, tg *target) {
	tg.create("apps", "there", nil)
	release, _ := tg.mustApply(request(configMap("there", "new") + configMap("mine", "new")))
	err := New(Options{}).Uninstall(t.Context(), tg.conn, installer.Removal{
		Owner: testOwner, Releases: []v1alpha1.ReleaseStatus{release}, Adopted: true, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if tg.get(configMaps, "apps", "there") != nil || tg.get(configMaps, "apps", "mine") != nil {
		t.Error("what should go with the rest is left")
	}
}

func testAdoptedStays(t *testing.T, tg *target) {
	tg.create("apps", "there", nil)
	req := request(configMap("there", "new") + configMap("mine", "new"))
	tg.mustApply(req)
	tg.delete("apps", "ksit-inventory-app")
	release, _ := tg.mustApply(req)
	tg.mustUninstall(release)
	if there := tg.get(configMaps, "apps", "there"); there == nil || len(there.GetLabels()) > 0 {
		t.Errorf("what was adopted: %v", there)
	}
	if tg.get(configMaps, "apps", "mine") != nil {
		t.Error("what was made is left")
	}
	tg.delete("apps", "there")
}

func testRefuseFound(t *testing.T, tg *target) {
	refuse := func(manifests string) installer.Request {
		req := request(manifests)
		req.AutoInstall.AdoptionPolicy = v1alpha1.AdoptionPolicyRefuse
		return req
	}
	tg.create("apps", "there", nil)
	tg.count(nil)
	result, err := New(Options{}).Apply(t.Context(), tg.conn, refuse(configMap("mine", "1")+configMap("there", "1")))
	if installer.ReasonOf(err) != installer.ReasonReleaseConflict || !installer.IsTerminal(err) ||
		!strings.Contains(err.Error(), "ConfigMap apps/there") || !strings.Contains(err.Error(), "Refuse") {
		t.Errorf("error %v", err)
	}
	if len(tg.written()) > 0 || len(result.Releases) > 0 {
		t.Errorf("writes %v, releases %v", tg.written(), result.Releases)
	}

	// What is its own already, and CRDs, which an uninstall leaves, are no
	// hindrance.
	tg.delete("apps", "there")
	for _, value := range []string{"1", "2"} {
		release, _ := tg.mustApply(refuse(thingCRD + configMap("mine", value)))
		if value == "1" {
			tg.mustUninstall(release)
			continue
		}
		tg.mustApply(refuse(thingCRD + configMap("mine", "3")))
		tg.mustUninstall(release)
	}
	if err := tg.conn.Dynamic().Resource(crds).Delete(t.Context(), "things.example.com", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func testStoredVersions(t *testing.T, tg *target) {
	onlyNew := strings.ReplaceAll(thingCRD, "name: v1", "name: v2")
	newStores := strings.Replace(strings.Replace(twoVersions, "storage: true", "storage: x", 1), "storage: false", "storage: true", 1)
	newStores = strings.Replace(newStores, "storage: x", "storage: false", 1)
	tg.mustApply(request(thingCRD + thing))
	refused := func() {
		t.Helper()
		tg.count(nil)
		_, err := New(Options{}).Apply(t.Context(), tg.conn, request(onlyNew+configMap("a", "1")))
		if installer.ReasonOf(err) != installer.ReasonCRDVersionInUse || !installer.IsTerminal(err) ||
			!strings.Contains(err.Error(), "things.example.com would lose v1,") || !strings.Contains(err.Error(), "storedVersions") {
			t.Errorf("error %v", err)
		}
		if len(tg.written()) > 0 {
			t.Errorf("writes %v", tg.written())
		}
	}
	refused()
	newThing := strings.ReplaceAll(thing, "example.com/v1", "example.com/v2")
	tg.mustApply(request(newStores + newThing))
	refused()
	patch := []byte(`{"status":{"storedVersions":["v2"]}}`)
	if _, err := tg.conn.Dynamic().Resource(crds).Patch(t.Context(), "things.example.com", types.MergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	release, _ := tg.mustApply(request(onlyNew + newThing))
	tg.mustUninstall(release)
	if err := tg.conn.Dynamic().Resource(crds).Delete(t.Context(), "things.example.com", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}
