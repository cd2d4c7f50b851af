// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

func TestReleases(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.charts.add(t, "web", "1.0.0", files{"templates/d.yaml": deployment, "templates/c.yaml": configMap})
	b.charts.add(t, "other", "1.0.0", files{"templates/c.yaml": configMap})
	for name, test := range map[string]func(*testing.T){
		"adopted":          b.testAdopted,
		"of others":        b.testOfOthers,
		"dropped":          b.testDropped,
		"missing":          b.testMissing,
		"pending by human": b.testPendingByHuman,
		"uninstalling":     b.testUninstalling,
		"history":          b.testHistory,
		"unreadable":       b.testUnreadable,
	} {
		t.Run(name, test)
	}
}

// byHand is Helm as a person uses it.
func (b *bench) byHand(t *testing.T, namespace string) *action.Configuration {
	t.Helper()
	config := &action.Configuration{}
	if err := config.Init(b.human.RESTClientGetter(namespace), namespace, "secret", t.Logf); err != nil {
		t.Fatal(err)
	}
	return config
}

func (b *bench) installByHand(t *testing.T, namespace, name, chart string, values map[string]any) {
	t.Helper()
	loaded, err := loadChart(b.charts.charts[chart+"-1.0.0.tgz"], chart)
	if err != nil {
		t.Fatal(err)
	}
	install := action.NewInstall(b.byHand(t, namespace))
	install.ReleaseName, install.Namespace, install.CreateNamespace = name, namespace, true
	if _, err := install.Run(loaded, values); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) releaseSecrets(t *testing.T, namespace, name string) []corev1.Secret {
	t.Helper()
	list, err := b.Client.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "owner=helm,name=" + name})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func (b *bench) testAdopted(t *testing.T) {
	b.installByHand(t, "adopted", "web", "web", map[string]any{"color": "green"})
	req := withValues(b.request("adopted", "web", "1.0.0"), map[string]any{"color": "green"})

	b.proxy.take()
	result := b.apply(t, req)
	if w := writes(b.proxy.take()); len(w) != 1 || !strings.HasPrefix(w[0], "PATCH ") || !result.Changed {
		t.Errorf("adopting wrote %v, changed %t", w, result.Changed)
	}
	if r := result.Releases[0]; !r.Adopted || r.Revision != 1 {
		t.Errorf("adopted release: %+v", r)
	}
	// A status that was lost is made up for by the labels.
	result = b.apply(t, req)
	if w := writes(b.proxy.take()); len(w) != 0 || result.Changed || !result.Releases[0].Adopted {
		t.Errorf("a second Apply wrote %v: %+v", w, result)
	}
	other := req
	other.Owner.Integration = "second"
	got, err := b.installer.Apply(t.Context(), b.conn, other)
	wantReason(t, err, installer.ReasonReleaseConflict, true, "team/adopted")
	if len(got.Releases) != 0 {
		t.Errorf("a release of another Integration is claimed: %+v", got.Releases)
	}

	req = withValues(req, map[string]any{"color": "black"})
	result = b.apply(t, req)
	if r := result.Releases[0]; !r.Adopted || r.Revision != 2 {
		t.Errorf("adopted and upgraded: %+v", r)
	}
	if err := b.installer.Uninstall(t.Context(), b.conn, installer.Removal{Owner: req.Owner, Releases: result.Releases, Timeout: req.Timeout}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Client.AppsV1().Deployments("adopted").Get(t.Context(), "web", metav1.GetOptions{}); err != nil {
		t.Errorf("an adopted release was uninstalled: %v", err)
	}
	for _, s := range b.releaseSecrets(t, "adopted", "web") {
		if _, owned := ownerOf(s.Labels); owned {
			t.Errorf("%s still has its owner", s.Name)
		}
	}
	// Now it is free for another one.
	if result := b.apply(t, withValues(other, map[string]any{"color": "black"})); !result.Releases[0].Adopted {
		t.Errorf("after letting go: %+v", result.Releases)
	}
}

func (b *bench) testOfOthers(t *testing.T) {
	b.installByHand(t, "of-others", "web", "other", nil)
	req := b.request("of-others", "web", "1.0.0")
	b.proxy.take()
	got, err := b.installer.Apply(t.Context(), b.conn, req)
	wantReason(t, err, installer.ReasonReleaseConflict, true, "chart other")
	if w := writes(b.proxy.take()); len(w) != 0 || len(got.Releases) != 0 {
		t.Errorf("wrote %v, claims %+v", w, got.Releases)
	}

	// Objects of another release, with a release name that is free.
	req = b.request("of-others", "other", "1.0.0")
	req.AutoInstall.HelmConfig.ReleaseName = "web2"
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "web2"}}
	if _, err := b.Client.CoreV1().ConfigMaps("of-others").Create(t.Context(), cm, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err = b.installer.Apply(t.Context(), b.conn, req)
	wantReason(t, err, installer.ReasonReleaseConflict, true, "web2")

	// An uninstall must not trust the status alone.
	theirs := b.request("of-others-2", "web", "1.0.0")
	result := b.apply(t, theirs)
	if err := b.installer.Uninstall(t.Context(), b.conn, installer.Removal{Owner: req.Owner, Releases: result.Releases, Timeout: req.Timeout}); err != nil {
		t.Fatal(err)
	}
	if len(b.releaseSecrets(t, "of-others-2", "web")) == 0 {
		t.Error("a release of another Integration was uninstalled")
	}
}

func (b *bench) testDropped(t *testing.T) {
	req := b.request("dropped", "web", "1.0.0")
	req.Recorded = b.apply(t, req).Releases
	req.AutoInstall = req.AutoInstall.DeepCopy()
	req.AutoInstall.HelmConfig.ReleaseName = "renamed"
	result := b.apply(t, req)
	if len(result.Releases) != 1 || result.Releases[0].Name != "renamed" {
		t.Errorf("releases %+v", result.Releases)
	}
	if n := len(b.releaseSecrets(t, "dropped", "web")); n != 0 {
		t.Errorf("the former release has %d Secrets", n)
	}
}

func (b *bench) testMissing(t *testing.T) {
	req := b.request("missing", "other", "1.0.0")
	result := b.apply(t, req)
	for _, s := range b.releaseSecrets(t, "missing", "other") {
		if err := b.Client.CoreV1().Secrets("missing").Delete(t.Context(), s.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := b.installer.Objects(t.Context(), b.conn, result.Releases)
	wantReason(t, err, installer.ReasonReleaseMissing, false)
	// What it left is taken up again.
	if result := b.apply(t, req); result.Releases[0].Revision != 1 {
		t.Errorf("after the loss of its Secrets: %+v", result.Releases)
	}
}

func (b *bench) setStatus(t *testing.T, namespace string, status release.Status) {
	t.Helper()
	config := b.byHand(t, namespace)
	rel, err := config.Releases.Last("web")
	if err != nil {
		t.Fatal(err)
	}
	rel.SetStatus(status, "by hand")
	if err := config.Releases.Update(rel); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) testPendingByHuman(t *testing.T) {
	b.installByHand(t, "pending", "web", "web", nil)
	b.setStatus(t, "pending", release.StatusPendingUpgrade)
	req := b.request("pending", "web", "1.0.0")
	_, err := b.installer.Apply(t.Context(), b.conn, req)
	wantReason(t, err, installer.ReasonReleaseConflict, false, "somebody else's Helm")

	later := newInstaller(t, nil)
	later.now = func() time.Time { return time.Now().Add(time.Hour) }
	result, err := later.Apply(t.Context(), b.conn, req)
	if err != nil || result.Releases[0].Revision != 2 || !result.Releases[0].Adopted {
		t.Errorf("after an hour: %+v, %v", result, err)
	}
}

func (b *bench) testUninstalling(t *testing.T) {
	req := b.request("uninstalling", "web", "1.0.0")
	b.apply(t, req)
	b.setStatus(t, "uninstalling", release.StatusUninstalling)
	later := newInstaller(t, nil)
	later.now = func() time.Time { return time.Now().Add(time.Hour) }
	result, err := later.Apply(t.Context(), b.conn, req)
	if err != nil || result.Releases[0].Revision != 1 {
		t.Errorf("%+v, %v", result, err)
	}
	if n := len(b.releaseSecrets(t, "uninstalling", "web")); n != 1 {
		t.Errorf("%d release Secrets", n)
	}
	// With its history kept, the numbers go on.
	uninstall := action.NewUninstall(b.byHand(t, "uninstalling"))
	uninstall.KeepHistory = true
	if _, err := uninstall.Run("web"); err != nil {
		t.Fatal(err)
	}
	if result := b.apply(t, req); result.Releases[0].Revision != 2 {
		t.Errorf("after an uninstall that kept the history: %+v", result.Releases)
	}
}

func (b *bench) testHistory(t *testing.T) {
	req := b.request("history", "other", "1.0.0")
	for _, color := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		b.apply(t, withValues(req, map[string]any{"color": color}))
	}
	if n := len(b.releaseSecrets(t, "history", "other")); n != maxHistory {
		t.Errorf("%d revisions are kept, want %d", n, maxHistory)
	}
	// Helm rolls it back like any other, and KSIT brings it forward again.
	rollback := action.NewRollback(b.byHand(t, "history"))
	if err := rollback.Run("other"); err != nil {
		t.Fatal(err)
	}
	result := b.apply(t, withValues(req, map[string]any{"color": "g"}))
	if r := result.Releases[0]; r.Revision != 9 || r.Adopted {
		t.Errorf("after a rollback by hand: %+v", r)
	}
}

func (b *bench) testUnreadable(t *testing.T) {
	req := b.request("unreadable", "other", "1.0.0")
	b.apply(t, req)
	secret := b.releaseSecrets(t, "unreadable", "other")[0]
	secret.Data = map[string][]byte{"release": []byte("garbage")}
	if _, err := b.Client.CoreV1().Secrets("unreadable").Update(t.Context(), &secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := b.installer.Apply(t.Context(), b.conn, req)
	wantReason(t, err, installer.ReasonReleaseConflict, false, secret.Name)
	_, err = b.installer.Objects(t.Context(), b.conn, []v1alpha1.ReleaseStatus{{Name: "other", Namespace: "unreadable"}})
	if err == nil {
		t.Error("objects of garbage")
	}
}
