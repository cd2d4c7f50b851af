// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/installer"
)

// fragile is a chart that fails, with the value broken, after its ConfigMaps
// were applied, and whose other values say what it consists of.
var fragile = files{
	"templates/c.yaml":      configMap,
	"templates/extra.yaml":  "{{ with .Values.extra }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ . }}}\n{{ end }}",
	"templates/kept.yaml":   "{{ if .Values.kept }}\napiVersion: v1\nkind: Service\nmetadata: {name: kept}\nspec: {ports: [{port: 80}]}\n{{ end }}",
	"templates/broken.yaml": "{{ if .Values.broken }}\napiVersion: v1\nkind: Service\nmetadata: {name: broken}\nspec: {ports: [{port: 99999}]}\n{{ end }}",
	"templates/hook.yaml":   "{{ with .Values.hook }}" + hookJob("hook", "pre-rollback", "{{ . }}") + "{{ end }}",
}

func TestRollback(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.charts.add(t, "fragile", "1.0.0", fragile)
	for name, test := range map[string]func(*testing.T){
		"back and forth":       b.testBackAndForth,
		"many failures":        b.testManyFailures,
		"failing rollbacks":    b.testFailingRollbacks,
		"failing hook":         b.testFailingRollbackHook,
		"nothing":              b.testNothingToRollBack,
		"adopted":              b.testRollbackOfAdopted,
		"between two writes":   b.testBetweenTwoWrites,
		"a chosen revision":    b.testRollbackToChosen,
		"values that are gone": b.testRollbackWithoutValues,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

type valueMap = map[string]any

func (b *bench) mustRollBack(t *testing.T, req installer.Request) installer.Result {
	t.Helper()
	result, err := b.installer.Rollback(t.Context(), b.conn, req)
	if err != nil {
		t.Fatalf("Rollback: %v", err)
	}
	return result
}

func (b *bench) mustFail(t *testing.T, req installer.Request) installer.Result {
	t.Helper()
	result, err := b.installer.Apply(t.Context(), b.conn, req)
	if err == nil {
		t.Fatal("it went through")
	}
	return result
}

// wantColor reads what the chart fragile configures.
func (b *bench) wantColor(t *testing.T, namespace, color string) {
	t.Helper()
	cm, err := b.Client.CoreV1().ConfigMaps(namespace).Get(t.Context(), "fragile", metav1.GetOptions{})
	if err != nil || cm.Data["color"] != color {
		t.Errorf("color %q, %v, want %q", cm.Data["color"], err, color)
	}
}

func (b *bench) hasConfigMap(t *testing.T, namespace, name string) bool {
	t.Helper()
	_, err := b.Client.CoreV1().ConfigMaps(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

// wantHistory compares the statuses of the revisions, the oldest first.
func (b *bench) wantHistory(t *testing.T, namespace string, want ...release.Status) {
	t.Helper()
	revisions, err := listRevisions(t.Context(), b.human, namespace, releaseQuery("fragile"))
	if err != nil {
		t.Fatal(err)
	}
	var got []release.Status
	for _, r := range revisions {
		got = append(got, r.status)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("history %v, want %v", got, want)
	}
}

func (b *bench) testBackAndForth(t *testing.T) {
	const ns = "back-and-forth"
	good := withValues(b.request(ns, "fragile", "1.0.0"), valueMap{"color": "good", "kept": true})
	bad := withValues(good, valueMap{"color": "bad", "extra": "extra", "broken": true})
	b.apply(t, good)
	kept, err := b.Client.CoreV1().Services(ns).Get(t.Context(), "kept", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if result := b.mustRollBack(t, good); result.Changed || len(result.Releases) != 1 {
		t.Errorf("a rollback of what went through: %+v", result)
	}
	failed := b.mustFail(t, bad)
	b.wantColor(t, ns, "bad")

	result := b.mustRollBack(t, bad)
	b.wantColor(t, ns, "good")
	if b.hasConfigMap(t, ns, "extra") {
		t.Error("what the failed revision made is left")
	}
	if now, err := b.Client.CoreV1().Services(ns).Get(t.Context(), "kept", metav1.GetOptions{}); err != nil || now.UID != kept.UID || now.Spec.ClusterIP != kept.Spec.ClusterIP {
		t.Errorf("what the failed revision dropped: %v, %v", now, err)
	}
	if r := result.Releases[0]; !result.Changed || r.Revision != 3 || r.Adopted || r.Digest == failed.Releases[0].Digest {
		t.Errorf("result %+v", result)
	}
	b.wantHistory(t, ns, release.StatusSuperseded, release.StatusFailed, release.StatusDeployed)
	for _, s := range b.releaseSecrets(t, ns, "fragile") {
		if owner, _ := ownerOf(s.Labels); owner != good.Owner {
			t.Errorf("%s belongs to %s", s.Name, owner)
		}
	}
	if result := b.mustRollBack(t, bad); result.Changed {
		t.Errorf("a second rollback: %+v", result)
	}
	if result := b.apply(t, good); result.Changed {
		t.Errorf("what it was rolled back to is applied again: %+v", result)
	}
	// Forward again, without what failed.
	b.apply(t, withValues(good, valueMap{"color": "better"}))
	b.wantColor(t, ns, "better")
}

func (b *bench) testManyFailures(t *testing.T) {
	const ns = "many-failures"
	good := withValues(b.request(ns, "fragile", "1.0.0"), valueMap{"color": "good"})
	b.apply(t, good)
	var bad installer.Request
	for n := range 12 {
		bad = withValues(good, valueMap{"color": fmt.Sprint(n), "extra": fmt.Sprintf("extra-%d", n), "broken": true})
		b.mustFail(t, bad)
		if kept := len(b.releaseSecrets(t, ns, "fragile")); kept > maxHistory {
			t.Fatalf("%d revisions after %d failures", kept, n+1)
		}
	}
	b.mustRollBack(t, bad)
	b.wantColor(t, ns, "good")
	for _, name := range []string{"extra-9", "extra-10", "extra-11"} {
		if b.hasConfigMap(t, ns, name) {
			t.Errorf("%s is left", name)
		}
	}
}

func (b *bench) testFailingRollbacks(t *testing.T) {
	const ns = "failing-rollbacks"
	good := withValues(b.request(ns, "fragile", "1.0.0"), valueMap{"color": "good", "kept": true})
	bad := withValues(good, valueMap{"color": "bad", "broken": true})
	b.apply(t, good)
	b.mustFail(t, bad)
	services := b.Client.CoreV1().Services(ns)
	if err := services.Delete(t.Context(), "kept", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	theirs := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "kept"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 443}}}}
	if _, err := services.Create(t.Context(), theirs, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for range 2 * maxHistory {
		_, err := b.installer.Rollback(t.Context(), b.conn, bad)
		wantReason(t, err, installer.ReasonReleaseConflict, true, "Service "+ns+"/kept")
	}
	b.wantHistory(t, ns, release.StatusDeployed, release.StatusFailed, release.StatusFailed, release.StatusFailed, release.StatusFailed)
	if now, err := services.Get(t.Context(), "kept", metav1.GetOptions{}); err != nil || now.Spec.Ports[0].Port != 443 {
		t.Errorf("what somebody else made was changed: %v, %v", now, err)
	}
	if err := services.Delete(t.Context(), "kept", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	b.mustRollBack(t, bad)
	b.wantColor(t, ns, "good")
}

func (b *bench) testFailingRollbackHook(t *testing.T) {
	const ns = "rollback-hook"
	good := withValues(b.request(ns, "fragile", "1.0.0"), valueMap{"hook": "failed"})
	bad := withValues(good, valueMap{"broken": true})
	b.apply(t, good)
	b.mustFail(t, bad)
	for range maxHistory {
		_, err := b.installer.Rollback(t.Context(), b.conn, bad)
		wantReason(t, err, installer.ReasonRollbackFailed, false, "the hook Job "+ns+"/hook failed")
	}
	b.wantHistory(t, ns, release.StatusDeployed, release.StatusFailed, release.StatusFailed, release.StatusFailed, release.StatusFailed)
}

func (b *bench) testNothingToRollBack(t *testing.T) {
	const ns = "nothing-to-roll-back"
	bad := withValues(b.request(ns, "fragile", "1.0.0"), valueMap{"color": "bad", "broken": true})
	if result := b.mustRollBack(t, bad); result.Changed {
		t.Errorf("a rollback of nothing: %+v", result)
	}
	b.mustFail(t, bad)
	result, err := b.installer.Rollback(t.Context(), b.conn, bad)
	wantReason(t, err, installer.ReasonNothingToRollBack, true, "fragile")
	if result.Changed || len(result.Releases) != 1 {
		t.Errorf("result %+v", result)
	}
	b.wantColor(t, ns, "bad")
	b.wantHistory(t, ns, release.StatusFailed)
}

func (b *bench) testRollbackOfAdopted(t *testing.T) {
	const ns = "rollback-adopted"
	b.installByHand(t, ns, "fragile", "fragile", valueMap{"color": "theirs"})
	bad := withValues(b.request(ns, "fragile", "1.0.0"), valueMap{"color": "bad", "broken": true})
	b.mustFail(t, bad)
	result := b.mustRollBack(t, bad)
	b.wantColor(t, ns, "theirs")
	if r := result.Releases[0]; !r.Adopted || r.Revision != 3 {
		t.Errorf("result %+v", result)
	}
	if err := b.installer.Uninstall(t.Context(), b.conn, installer.Removal{Owner: bad.Owner, Releases: result.Releases, Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	b.wantColor(t, ns, "theirs")
}

// testBetweenTwoWrites has the process die after it marked the old revision
// superseded, and before it marked the new one deployed.
func (b *bench) testBetweenTwoWrites(t *testing.T) {
	const ns = "between-two-writes"
	good := withValues(b.request(ns, "fragile", "1.0.0"), valueMap{"color": "good"})
	next := withValues(good, valueMap{"color": "next", "extra": "extra"})
	b.apply(t, good)
	b.apply(t, next)
	records := b.byHand(t, ns).Releases
	last, err := records.Last("fragile")
	if err != nil {
		t.Fatal(err)
	}
	last.SetStatus(release.StatusPendingUpgrade, "by hand")
	if err := records.Update(last); err != nil {
		t.Fatal(err)
	}
	later := newInstaller(t, nil)
	later.now = func() time.Time { return time.Now().Add(time.Hour) }
	if _, err := later.Rollback(t.Context(), b.conn, next); err != nil {
		t.Fatal(err)
	}
	b.wantColor(t, ns, "good")
	if b.hasConfigMap(t, ns, "extra") {
		t.Error("what was made by what was cut short is left")
	}
	b.wantHistory(t, ns, release.StatusSuperseded, release.StatusFailed, release.StatusDeployed)
}

func (b *bench) testRollbackWithoutValues(t *testing.T) {
	const ns = "rollback-without-values"
	good := withValues(b.request(ns, "fragile", "1.0.0"), valueMap{"color": "good"})
	bad := withValues(good, valueMap{"color": "bad", "broken": true})
	b.apply(t, good)
	b.mustFail(t, bad)
	bad.AutoInstall.HelmConfig.ValuesObject.Raw = []byte("{")
	b.mustRollBack(t, bad)
	b.wantColor(t, ns, "good")
}
