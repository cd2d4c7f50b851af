// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// testKilled breaks off an install, and then an upgrade, at every single write,
// before or after it went through, and expects the next apply to finish.
func testKilled(t *testing.T, tg *target) {
	install := request(thingCRD + thing + configMap("a", "1") + configMap("b", "1"))
	upgrade := request(thingCRD + configMap("a", "2") + configMap("c", "1"))
	for n := 1; ; n++ {
		ended := tg.breakOff(install, n)
		tg.checkInventory()
		release, _ := tg.mustApply(install)
		if release.Revision != 1 || release.Objects != 4 {
			t.Fatalf("install broken off at write %d: %+v", n, release)
		}
		endedUpgrade := tg.breakOff(upgrade, n)
		tg.checkInventory()
		release, _ = tg.mustApply(upgrade)
		if release.Revision != 2 || release.Objects != 3 {
			t.Fatalf("upgrade broken off at write %d: %+v", n, release)
		}
		if tg.get(configMaps, "apps", "b") != nil || tg.get(things, "apps", "one") != nil || tg.get(configMaps, "apps", "c") == nil {
			t.Fatalf("upgrade broken off at write %d: wrong objects", n)
		}
		tg.mustUninstall(release)
		if tg.get(configMaps, "apps", "a") != nil {
			t.Fatalf("broken off at write %d: something is left", n)
		}
		if ended && endedUpgrade {
			t.Logf("broke off at each of %d writes", n-1)
			break
		}
	}
	if err := tg.conn.Dynamic().Resource(crds).Delete(t.Context(), "things.example.com", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// breakOff ends an apply at its n-th write and tells whether it got through
// before that. At odd writes the target gets the write, at even ones not.
func (tg *target) breakOff(req installer.Request, n int) (through bool) {
	tg.t.Helper()
	return tg.breakOffWith(n, func(ctx context.Context) error {
		_, err := New(Options{}).Apply(ctx, tg.conn, req)
		return err
	})
}

func (tg *target) breakOffWith(n int, do func(context.Context) error) (through bool) {
	tg.t.Helper()
	ctx, cancel := context.WithCancel(tg.t.Context())
	defer cancel()
	tg.count(func(i int) {
		if i != n {
			return
		}
		if n%2 == 0 {
			cancel()
			time.Sleep(5 * time.Millisecond)
			return
		}
		time.AfterFunc(5*time.Millisecond, cancel)
	})
	err := do(ctx)
	tg.count(nil)
	if err != nil && installer.ReasonOf(err) != installer.ReasonCanceled {
		tg.t.Fatalf("broken off at write %d: %v", n, err)
	}
	// What was sent before the end may still be on its way.
	time.Sleep(50 * time.Millisecond)
	return err == nil
}

// checkInventory makes sure that everything with our labels is in the
// inventory.
func (tg *target) checkInventory() {
	tg.t.Helper()
	r := newRelease(tg.conn, testOwner, "apps", "app")
	if err := r.read(tg.t.Context()); err != nil {
		tg.t.Fatal(err)
	}
	named := map[string]bool{"ksit-inventory-app": true}
	if r.stored != nil {
		for _, ref := range r.stored.refs() {
			named[ref.Name] = true
		}
	}
	list, err := tg.conn.Dynamic().Resource(configMaps).Namespace("apps").List(tg.t.Context(), metav1.ListOptions{LabelSelector: v1alpha1.LabelIntegration + "=app"})
	if err != nil {
		tg.t.Fatal(err)
	}
	for _, item := range list.Items {
		if !named[item.GetName()] {
			tg.t.Fatalf("%s is ours and not in the inventory", item.GetName())
		}
	}
}
