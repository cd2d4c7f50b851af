// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

func testAdoption(t *testing.T, tg *target) {
	tg.create("apps", "there", nil)
	release, _ := tg.mustApply(request(configMap("there", "new") + configMap("mine", "new")))
	if release.Adopted {
		t.Error("a release of which a part was there counts as adopted")
	}
	there := tg.get(configMaps, "apps", "there")
	want := map[string]any{"key": "new", "more": "old"}
	if diff := cmp.Diff(want, there.Object["data"]); diff != "" {
		t.Error(diff)
	}
	// It stays adopted through an upgrade, and is left when the rest goes.
	release, _ = tg.mustApply(request(configMap("there", "newer") + configMap("mine", "new")))
	tg.mustUninstall(release)
	there = tg.get(configMaps, "apps", "there")
	if there == nil || there.GetLabels()[v1alpha1.LabelIntegration] != "" {
		t.Fatalf("what was adopted: %v", there)
	}
	if tg.get(configMaps, "apps", "mine") != nil {
		t.Error("what was made is left")
	}
	release, _ = tg.mustApply(request(configMap("there", "new")))
	if !release.Adopted {
		t.Error("a release that was there as a whole does not count as adopted")
	}
	// Pruning leaves it as well.
	tg.mustApply(request(configMap("mine", "new")))
	if tg.get(configMaps, "apps", "there") == nil {
		t.Error("what was adopted was pruned")
	}
	tg.mustUninstall(release)
	tg.delete("apps", "there")
}

func testOtherOwners(t *testing.T, tg *target) {
	release, _ := tg.mustApply(request(configMap("a", "1") + "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shared, labels: {mine: \"yes\"}}}\n"))
	wantConflict := func(req installer.Request) {
		t.Helper()
		tg.count(nil)
		result, err := New(Options{}).Apply(t.Context(), tg.conn, req)
		if installer.ReasonOf(err) != installer.ReasonReleaseConflict || !installer.IsTerminal(err) || !strings.Contains(err.Error(), "team/app") {
			t.Errorf("error %v", err)
		}
		if len(tg.written()) > 0 || len(result.Releases) > 0 {
			t.Errorf("writes %v, releases %v", tg.written(), result.Releases)
		}
	}
	sameRelease := request(configMap("x", "1"))
	sameRelease.Owner.Namespace = "rivals"
	wantConflict(sameRelease)
	sameObject := request(configMap("x", "1") + configMap("a", "2"))
	sameObject.Owner.Integration = "rival"
	wantConflict(sameObject)
	if err := New(Options{}).Uninstall(t.Context(), tg.conn, installer.Removal{Owner: sameRelease.Owner, Releases: []v1alpha1.ReleaseStatus{release}, Timeout: time.Minute}); installer.ReasonOf(err) != installer.ReasonReleaseConflict {
		t.Errorf("uninstalling another's release: %v", err)
	}

	// A namespace can be shared; what the first set stays.
	neighbour := request(configMap("neighbour", "1") + "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shared, labels: {theirs: \"yes\"}}}\n")
	neighbour.Owner.Integration = "neighbour"
	for range 2 {
		if _, err := New(Options{}).Apply(t.Context(), tg.conn, neighbour); err != nil {
			t.Fatal(err)
		}
	}
	labels := tg.get(namespaces, "", "shared").GetLabels()
	if labels["mine"] != "yes" || labels["theirs"] != "yes" || labels[v1alpha1.LabelIntegration] != "app" {
		t.Errorf("labels %v", labels)
	}
	tg.deleteAll(neighbour.Owner, "apps", "neighbour")

	// What lost our labels, or was replaced, is not ours to delete.
	tg.mustApply(request(configMap("a", "1") + configMap("b", "1")))
	tg.delete("apps", "b")
	tg.create("apps", "b", nil)
	tg.mustUninstall(release)
	if tg.get(configMaps, "apps", "b") == nil {
		t.Error("an object of somebody else was deleted")
	}
	tg.delete("apps", "b")
}
