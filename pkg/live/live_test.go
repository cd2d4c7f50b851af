// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/controller/installation"
	"ksit.io/ksit/pkg/generated/clientset/versioned/fake"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/installer/manifest"
	"ksit.io/ksit/pkg/sources"
	"ksit.io/ksit/test/env"
)

const deadKubeconfig = `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: very-secret-token}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`

// secrets are the kubeconfigs of a host, by the name of their Secret.
type secrets map[string]string

func (s secrets) Get(_ context.Context, key types.NamespacedName) (*corev1.Secret, error) {
	content, found := s[key.Name]
	if !found {
		return nil, apierrors.NewNotFound(corev1.Resource("secrets"), key.Name)
	}
	return &corev1.Secret{Data: map[string][]byte{"kubeconfig": []byte(content)}}, nil
}

func (s secrets) targets(t *testing.T) *Targets {
	t.Helper()
	connections := cluster.NewSet(cluster.Options{})
	t.Cleanup(connections.Close)
	client := fake.NewSimpleClientset()
	for name := range s {
		if _, err := client.KsitV1alpha1().IntegrationTargets("team").Create(t.Context(), newTarget(name), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return &Targets{Client: client.KsitV1alpha1(), Secrets: s, Connections: connections}
}

func newTarget(name string) *v1alpha1.IntegrationTarget {
	timeout := int32(30)
	return &v1alpha1.IntegrationTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name},
		Spec:       v1alpha1.IntegrationTargetSpec{ClusterName: name, KubeconfigSecret: name, Probe: v1alpha1.TargetProbe{TimeoutSeconds: &timeout}},
	}
}

// newInstallation has manifests installed on a target.
func newInstallation(target, manifests string) (*v1alpha1.Installation, *v1alpha1.Integration) {
	asks := &v1alpha1.Integration{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "app"},
		Spec: v1alpha1.IntegrationSpec{
			Type:        v1alpha1.IntegrationTypeGeneric,
			Config:      map[string]string{"namespace": "apps"},
			AutoInstall: &v1alpha1.AutoInstall{Enabled: true, Method: v1alpha1.InstallMethodManifest, ManifestConfig: &v1alpha1.ManifestConfig{Manifests: manifests}},
		},
	}
	return &v1alpha1.Installation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "app." + target},
		Spec: v1alpha1.InstallationSpec{Integration: "app", Target: target, Type: asks.Spec.Type, Enabled: true,
			AutoInstall: asks.Spec.AutoInstall, Config: asks.Spec.Config},
	}, asks
}

func (s secrets) installations(t *testing.T) *Installations {
	t.Helper()
	return NewInstallations(s.targets(t), installation.Installers{v1alpha1.InstallMethodManifest: manifest.New(manifest.Options{})}, sources.Reader{Secrets: s})
}

const someManifests = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {key: %q}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: b}\nstringData: {key: very-secret}\n"

func TestHealthOfTargets(t *testing.T) {
	s := secrets{"dead": deadKubeconfig, "garbage": "very-secret: ["}
	targets := s.targets(t)
	for name, want := range map[string][2]string{
		"dead":    {v1alpha1.ConditionReachable, "ConnectionRefused"},
		"garbage": {v1alpha1.ConditionCredentialsValid, "KubeconfigInvalid"},
		"missing": {v1alpha1.ConditionCredentialsValid, "SecretMissing"},
	} {
		found, err := targets.Health(t.Context(), newTarget(name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		condition := meta.FindStatusCondition(found.Conditions, want[0])
		if found.Ready || condition == nil || condition.Status == metav1.ConditionTrue || condition.Reason != want[1] || found.Name != name {
			t.Errorf("%s: %+v", name, found)
		}
		if strings.Contains(fmt.Sprint(found), "very-secret") {
			t.Errorf("%s: shows what is in the Secret: %v", name, found)
		}
	}
	suspended := newTarget("dead")
	suspended.Spec.Suspend = true
	found, err := targets.Health(t.Context(), suspended)
	if err != nil || found.Ready || meta.FindStatusCondition(found.Conditions, v1alpha1.ConditionReady).Reason != "Suspended" {
		t.Errorf("suspended: %+v, %v", found, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := targets.Health(gone, newTarget("dead")); !apierrors.IsTimeout(err) {
		t.Errorf("of a caller that left: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	i := secrets{"dead": deadKubeconfig}.installations(t)
	inst, asks := newInstallation("dead", fmt.Sprintf(someManifests, "1"))
	inst.Status.Releases = []v1alpha1.ReleaseStatus{{Name: "app", Namespace: "apps"}}
	for name, change := range map[string]func(){
		"127.0.0.1:1":           func() {},
		"there is no":           func() { inst.Spec.Target = "nobody" },
		"spec.enabled is false": func() { inst.Spec.Enabled = false },
	} {
		inst.Spec.Target, inst.Spec.Enabled = "dead", true
		change()
		found, err := i.Health(t.Context(), inst)
		if err != nil || found.State != v1alpha1.CheckUnknown || !strings.Contains(found.Message, name) {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
	inst.Spec.Target, inst.Spec.Enabled = "dead", true
	_, historyErr := i.History(t.Context(), inst)
	_, manifestErr := i.Manifest(t.Context(), inst, &v1alpha1.InstallationManifestOptions{})
	_, diffErr := i.Diff(t.Context(), inst, asks, false)
	for name, err := range map[string]error{"history": historyErr, "manifest": manifestErr, "diff": diffErr} {
		if !apierrors.IsServiceUnavailable(err) || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "very-secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOptions(t *testing.T) {
	inst, _ := newInstallation("one", fmt.Sprintf(someManifests, "1"))
	inst.Status.Releases = []v1alpha1.ReleaseStatus{{Name: "base"}, {Name: "main"}}
	for name, tc := range map[string]struct {
		options v1alpha1.InstallationManifestOptions
		code    int32
	}{
		"all":                   {},
		"one":                   {options: v1alpha1.InstallationManifestOptions{Release: "main", Revision: 2}},
		"no such release":       {v1alpha1.InstallationManifestOptions{Release: "other"}, http.StatusNotFound},
		"a revision of which":   {v1alpha1.InstallationManifestOptions{Revision: 2}, http.StatusBadRequest},
		"a revision below zero": {v1alpha1.InstallationManifestOptions{Revision: -1}, http.StatusBadRequest},
	} {
		err := refuseOptions(inst, &tc.options)
		if code := codeOf(err); code != tc.code {
			t.Errorf("%s: %d (%v), want %d", name, code, err, tc.code)
		}
	}
}

func codeOf(err error) int32 {
	if status, ok := err.(apierrors.APIStatus); ok { //nolint:errorlint // it is never wrapped
		return status.Status().Code
	}
	return 0
}

func TestErrors(t *testing.T) {
	for err, code := range map[error]int32{
		installer.Errorf(installer.ReasonTargetUnreachable, "x"): http.StatusServiceUnavailable,
		installer.Terminalf(installer.ReasonRenderFailed, "x"):   http.StatusUnprocessableEntity,
		context.DeadlineExceeded:                                 http.StatusServiceUnavailable,
	} {
		if got := codeOf(explain(t.Context(), err, "doing it")); got != code {
			t.Errorf("%v: %d, want %d", err, got, code)
		}
	}
	over, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if err := explain(over, context.DeadlineExceeded, "doing it"); !apierrors.IsTimeout(err) {
		t.Errorf("out of time: %v", err)
	}
}

// TestTooManyDiffs has all places taken.
func TestTooManyDiffs(t *testing.T) {
	i := secrets{"dead": deadKubeconfig}.installations(t)
	for range maxDiffs {
		i.diffs <- struct{}{}
	}
	inst, asks := newInstallation("dead", fmt.Sprintf(someManifests, "1"))
	_, err := i.Diff(t.Context(), inst, asks, false)
	if seconds, ok := apierrors.SuggestsClientDelay(err); !apierrors.IsTooManyRequests(err) || !ok || seconds != diffRetry {
		t.Errorf("%v", err)
	}
	<-i.diffs
	if _, err := i.Diff(t.Context(), inst, asks, false); !apierrors.IsServiceUnavailable(err) {
		t.Errorf("with a place: %v", err)
	}
	if len(i.diffs) != maxDiffs-1 {
		t.Errorf("%d places are taken", len(i.diffs))
	}
}

// TestLive asks a real API server.
func TestLive(t *testing.T) {
	api := env.Start(t, env.Options{})
	s := secrets{"one": string(api.Kubeconfig)}
	i := s.installations(t)
	found, err := i.Targets.Health(t.Context(), newTarget("one"))
	if err != nil || !found.Ready || found.Version == "" || found.Endpoint == "" || found.LatencyMilliseconds < 1 || found.Nodes == nil || found.CredentialsExpireAt == nil {
		t.Fatalf("health of the target: %+v, %v", found, err)
	}
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionReachable, v1alpha1.ConditionCredentialsValid, v1alpha1.ConditionAuthorized} {
		if !meta.IsStatusConditionTrue(found.Conditions, kind) {
			t.Errorf("%s is not true: %+v", kind, found.Conditions)
		}
	}

	inst, asks := newInstallation("one", fmt.Sprintf(someManifests, "1"))
	diff, err := i.Diff(t.Context(), inst, asks, false)
	if err != nil || diff.Summary.Added != 2 {
		t.Fatalf("diff before the install: %+v, %v", diff, err)
	}
	target, connection, err := i.Targets.Of(t.Context(), inst)
	if err != nil {
		t.Fatal(err)
	}
	req := installation.Wanted(inst, target)
	req.Timeout = time.Minute
	result, err := i.Installers[v1alpha1.InstallMethodManifest].Apply(t.Context(), connection, req)
	if err != nil {
		t.Fatal(err)
	}
	inst.Status.Releases = result.Releases

	health, err := i.Health(t.Context(), inst)
	if err != nil || health.State != v1alpha1.CheckPassed || health.Message != "1 of 1 checks passed" || health.ProbedAt.IsZero() {
		t.Errorf("health: %+v, %v", health, err)
	}
	history, err := i.History(t.Context(), inst)
	if err != nil || len(history.Releases) != 1 || len(history.Releases[0].Revisions) != 1 {
		t.Errorf("history: %+v, %v", history, err)
	}
	shown, err := i.Manifest(t.Context(), inst, &v1alpha1.InstallationManifestOptions{Release: "app"})
	if err != nil || !strings.Contains(shown.Releases[0].Manifest, "<redacted>") || strings.Contains(shown.Releases[0].Manifest, "very-secret") {
		t.Errorf("manifest: %+v, %v", shown, err)
	}
	if _, err := i.Manifest(t.Context(), inst, &v1alpha1.InstallationManifestOptions{Revision: 5}); !apierrors.IsNotFound(err) {
		t.Errorf("of a revision that is not kept: %v", err)
	}
	if diff, err = i.Diff(t.Context(), inst, asks, false); err != nil || diff.Summary != (v1alpha1.DiffSummary{Unchanged: 2}) {
		t.Errorf("diff of what stands: %+v, %v", diff, err)
	}
	disabled := false
	asks.Spec.Enabled = &disabled
	asks.Spec.AutoInstall.ManifestConfig = &v1alpha1.ManifestConfig{Manifests: fmt.Sprintf(someManifests, "2")}
	if diff, err = i.Diff(t.Context(), inst, asks, false); err != nil || diff.Summary.Changed != 1 || !strings.Contains(strings.Join(diff.Notes, ""), "spec.enabled is false") {
		t.Errorf("diff of what is disabled: %+v, %v", diff, err)
	}
	asks.Spec.AutoInstall = nil
	if diff, err = i.Diff(t.Context(), inst, asks, false); err != nil || len(diff.Notes) != 1 {
		t.Errorf("diff without autoInstall: %+v, %v", diff, err)
	}
	inst.Status.Releases = []v1alpha1.ReleaseStatus{{Name: "gone", Namespace: "apps"}}
	if health, err = i.Health(t.Context(), inst); err != nil || health.State != v1alpha1.CheckUnknown || !strings.Contains(health.Message, "not on the target") {
		t.Errorf("of a release that is not there: %+v, %v", health, err)
	}
}
