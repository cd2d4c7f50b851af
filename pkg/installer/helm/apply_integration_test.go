// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

func TestApply(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	t.Run("lifecycle", b.testLifecycle)
}

// testLifecycle installs, does nothing, upgrades, and uninstalls.
func (b *bench) testLifecycle(t *testing.T) {
	content := files{"templates/d.yaml": deployment, "templates/c.yaml": configMap}
	b.charts.add(t, "web", "1.0.0", content)
	b.charts.add(t, "web", "1.1.0", content)
	req := b.request("lifecycle", "web", "1.0.0")

	result := b.apply(t, req)
	want := []v1alpha1.ReleaseStatus{{Name: "web", Namespace: "lifecycle", Chart: "web", Version: "1.0.0", AppVersion: "app-1.0.0", Revision: 1, Objects: 2}}
	ignoreDigest := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Digest" }, cmp.Ignore())
	if diff := cmp.Diff(want, result.Releases, ignoreDigest); diff != "" || !result.Changed {
		t.Fatalf("changed %t, releases: %s", result.Changed, diff)
	}
	ns, err := b.Client.CoreV1().Namespaces().Get(t.Context(), "lifecycle", metav1.GetOptions{})
	if err != nil || ns.Labels["app.kubernetes.io/managed-by"] != "ksit" {
		t.Errorf("namespace labels %v, %v", ns.Labels, err)
	}

	b.proxy.take()
	again := b.apply(t, req)
	if requests := b.proxy.take(); len(writes(requests)) != 0 || len(requests) > 2 || again.Changed {
		t.Errorf("a second Apply changed %t, requests %v", again.Changed, requests)
	}
	if diff := cmp.Diff(result.Releases, again.Releases); diff != "" {
		t.Errorf("the second result differs: %s", diff)
	}

	req = withValues(b.request("lifecycle", "web", "~1"), map[string]any{"color": "blue", "big": 12345678901, "none": nil})
	result = b.apply(t, req)
	if r := result.Releases[0]; r.Version != "1.1.0" || r.Revision != 2 {
		t.Errorf("after the upgrade: %+v", r)
	}
	cm, err := b.Client.CoreV1().ConfigMaps("lifecycle").Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil || cm.Data["color"] != "blue" {
		t.Errorf("ConfigMap %v, %v", cm.Data, err)
	}
	b.proxy.take()
	// A range stays with what it installed, also when the repository is down.
	b.charts.add(t, "web", "1.2.0", content)
	b.charts.setBroken(true)
	again = b.apply(t, req)
	b.charts.setBroken(false)
	if requests := b.proxy.take(); len(writes(requests)) != 0 || again.Changed {
		t.Errorf("an Apply of the same range changed %t, requests %v", again.Changed, requests)
	}

	ids, err := b.installer.Objects(t.Context(), b.conn, result.Releases)
	if err != nil || len(ids) != 2 {
		t.Errorf("objects %v, %v", ids, err)
	}
	b.proxy.take()
	if _, err := b.installer.Objects(t.Context(), b.conn, result.Releases); err != nil {
		t.Error(err)
	}
	if requests := b.proxy.take(); len(requests) != 1 {
		t.Errorf("objects that did not change took %v", requests)
	}

	if err := b.installer.Uninstall(t.Context(), b.conn, installer.Removal{Owner: req.Owner, Releases: result.Releases, Timeout: req.Timeout}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Client.AppsV1().Deployments("lifecycle").Get(t.Context(), "web", metav1.GetOptions{}); err == nil {
		t.Error("the Deployment is still there")
	}
	if err := b.installer.Uninstall(t.Context(), b.conn, installer.Removal{Owner: req.Owner, Releases: result.Releases, Timeout: req.Timeout}); err != nil {
		t.Errorf("a second uninstall: %v", err)
	}
	if _, err := b.installer.Objects(t.Context(), b.conn, result.Releases); err == nil {
		t.Error("objects of a release that is gone")
	} else {
		wantReason(t, err, "ReleaseMissing", false, "web", "lifecycle")
	}
}
