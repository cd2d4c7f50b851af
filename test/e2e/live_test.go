// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestLive asks, through the aggregator, what the subresources find out on a
// target, while no controller runs. Nothing is written by that, there or here,
// and no secret is shown.
func TestLive(t *testing.T) {
	replicas := startReplicas(t)
	const password, otherPassword = "hunter2-very-secret", "correct-horse-battery"
	ns := namespace(t)
	target := s.bed.Targets[0]
	user := ns + "-live"
	kubeconfig, err := target.AuditedKubeconfig(user)
	must(t, err)
	registerContent(t, ns, "one", kubeconfig)
	registerContent(t, ns, "dead", []byte(sampleKubeconfig))
	for name, content := range map[string]string{"private": password, "other": otherPassword} {
		kubectl(t, "", "create", "secret", "generic", name, "-n", ns, "--from-literal=password="+content)
	}
	from := func(secret, message string) string {
		return fmt.Sprintf("      values: {message: %s}\n      valuesFrom: [{kind: Secret, name: %s, key: password, targetPath: password}]\n", message, secret)
	}
	kubectl(t, generic(ns, "told", "secretive", "1.0.0", []string{"one"}, from("private", "first")), "apply", "-f", "-")
	waitPhase(t, ns, "told", v1alpha1.PhaseRunning)
	kubectl(t, generic(ns, "told", "secretive", "1.1.0", []string{"one"}, from("private", "second")), "apply", "-f", "-")
	waitPhase(t, ns, "told", v1alpha1.PhaseRunning)
	for _, replica := range replicas {
		replica.Kill()
	}
	begin := time.Now()
	before := versionsOf(t, ns)
	l := &liveQuestions{ns: ns, secrets: []string{password, otherPassword}}

	t.Run("health", l.health)
	t.Run("history", l.history)
	t.Run("manifest", l.manifest)
	t.Run("diff of what is stored", l.diffStored)
	t.Run("diff of a candidate", l.diffCandidate)
	t.Run("who may ask", l.rights)

	if after := versionsOf(t, ns); after != before {
		t.Errorf("KSIT wrote into its own store: before\n%s\nafter\n%s", before, after)
	}
	requests, err := target.AuditedRequests(user, begin)
	must(t, err)
	for _, r := range requests {
		if !slices.Contains([]string{"get", "list", "watch"}, r.Verb) && !dryRun(r) {
			t.Errorf("something was written: %s %s %s/%s", r.Verb, r.Resource, r.Namespace, r.Name)
		}
	}
	if len(requests) == 0 {
		t.Error("the target was not asked: nothing is proven")
	}
	t.Logf("to answer, the target was asked:\n%s", countKinds(requests))
}

// versionsOf are the resource versions of all that KSIT stores in a namespace.
func versionsOf(t testing.TB, ns string) string {
	t.Helper()
	return kubectl(t, "", "get", "integrations,integrationtargets,installations", "-n", ns, "-o",
		`jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.resourceVersion}{"\n"}{end}`)
}

// liveQuestions are those about the Installation told.one.
type liveQuestions struct {
	ns      string
	secrets []string
}

func (l *liveQuestions) path(resource, name, subresource string) string {
	return fmt.Sprintf("/apis/ksit.io/v1alpha1/namespaces/%s/%s/%s/%s", l.ns, resource, name, subresource)
}

// raw asks as docs/subresources.md does. No answer holds a secret.
func (l *liveQuestions) raw(t testing.TB, path string, into any) {
	t.Helper()
	l.decode(t, kubectl(t, "", "get", "--raw", path), into)
}

func (l *liveQuestions) decode(t testing.TB, answer string, into any) {
	t.Helper()
	for _, secret := range l.secrets {
		if strings.Contains(answer, secret) {
			t.Errorf("the answer shows a secret:\n%s", answer)
		}
	}
	if err := json.Unmarshal([]byte(answer), into); err != nil {
		t.Fatalf("%v in:\n%s", err, answer)
	}
}

func (l *liveQuestions) health(t *testing.T) {
	var target v1alpha1.IntegrationTargetHealth
	l.raw(t, l.path("integrationtargets", "one", "health"), &target)
	if !target.Ready || target.Version == "" || target.Nodes == nil || len(target.Conditions) != 4 {
		t.Errorf("the target is %+v", target)
	}
	dead, err := s.ksit.KsitV1alpha1().IntegrationTargets(l.ns).GetHealth(t.Context(), "dead", metav1.GetOptions{})
	if err != nil || dead.Ready || dead.Conditions == nil {
		t.Errorf("a target that does not answer is %+v, %v", dead, err)
	}
	var health v1alpha1.InstallationHealth
	l.raw(t, l.path("installations", "told.one", "health"), &health)
	if health.State != v1alpha1.CheckPassed || len(health.Checks) == 0 || health.Name != "told.one" || time.Since(health.ProbedAt.Time) > eventually {
		t.Errorf("the Installation is %+v", health)
	}
}

func (l *liveQuestions) history(t *testing.T) {
	var history v1alpha1.InstallationHistory
	l.raw(t, l.path("installations", "told.one", "history"), &history)
	var got []string
	for _, r := range history.Releases[0].Revisions {
		got = append(got, fmt.Sprintf("%d %s %s", r.Revision, r.Status, r.Version))
	}
	if want := []string{"2 deployed 1.1.0", "1 superseded 1.0.0"}; !slices.Equal(want, got) {
		t.Errorf("history is %q, want %q", got, want)
	}
	installation, err := s.ksit.KsitV1alpha1().Installations(l.ns).Get(t.Context(), "told.one", metav1.GetOptions{})
	must(t, err)
	if recorded := installation.Status.Releases[0].Digest; history.Releases[0].Revisions[0].Digest != recorded {
		t.Errorf("the digest is %s, and %s on the status", history.Releases[0].Revisions[0].Digest, recorded)
	}
}

func (l *liveQuestions) manifest(t *testing.T) {
	var manifest v1alpha1.InstallationManifest
	l.raw(t, l.path("installations", "told.one", "manifest"), &manifest)
	m := manifest.Releases[0]
	for _, part := range []string{"message: second", "password: <redacted>", "kind: Secret"} {
		if !strings.Contains(m.Manifest, part) {
			t.Errorf("no %q in:\n%s", part, m.Manifest)
		}
	}
	if !strings.Contains(m.Values, "password: <redacted>") || m.Revision != 2 {
		t.Errorf("values of revision %d:\n%s", m.Revision, m.Values)
	}
	l.raw(t, l.path("installations", "told.one", "manifest")+"?release=told&revision=1", &manifest)
	if m := manifest.Releases[0]; !strings.Contains(m.Manifest, "message: first") || m.Version != "1.0.0" {
		t.Errorf("revision 1 is %+v", m)
	}
	if out, err := tryKubectl(t.Context(), s.bed.Host.Kubeconfig, "", "get", "--raw", l.path("installations", "told.one", "manifest")+"?release=nobody"); err == nil || !strings.Contains(out, "nobody") {
		t.Errorf("a release that is not there gives %v: %s", err, out)
	}
}

func (l *liveQuestions) diffStored(t *testing.T) {
	answer := kubectl(t, `{"apiVersion":"ksit.io/v1alpha1","kind":"InstallationDiff","spec":{"unchanged":true}}`,
		"create", "--raw", l.path("installations", "told.one", "diff"), "-f", "-")
	var diff v1alpha1.InstallationDiff
	l.decode(t, answer, &diff)
	if diff.Status.Summary != (v1alpha1.DiffSummary{Unchanged: 3}) || len(diff.Status.Objects) != 3 {
		t.Errorf("of what is stored: %s", answer)
	}
}

func (l *liveQuestions) diffCandidate(t *testing.T) {
	integration, err := s.ksit.KsitV1alpha1().Integrations(l.ns).Get(t.Context(), "told", metav1.GetOptions{})
	must(t, err)
	candidate := integration.Spec.DeepCopy()
	candidate.AutoInstall.HelmConfig.Values = map[string]string{"message": "third", "extra": "true"}
	candidate.AutoInstall.HelmConfig.ValuesFrom[0].Name = "other"
	diff := l.diff(t, candidate)
	var got []string
	for _, o := range diff.Status.Objects {
		got = append(got, fmt.Sprintf("%s %s %s", o.Change, o.Kind, o.Name))
	}
	want := []string{"Changed Secret told", "Changed ConfigMap told", "Added ConfigMap told-extra", "Removed ConfigMap told-plain"}
	if !slices.Equal(want, got) {
		t.Fatalf("the objects are %q, want %q", got, want)
	}
	if text := diff.Status.Objects[0].Diff; !strings.Contains(text, "+  password: <redacted, changed>") {
		t.Errorf("the Secret is shown as:\n%s", text)
	}
	if text := diff.Status.Objects[1].Diff; !strings.Contains(text, "-  message: second\n+  message: third\n") {
		t.Errorf("the ConfigMap is shown as:\n%s", text)
	}
	if r := diff.Status.Releases[0]; r.Version != "1.1.0" || r.Revision != 3 {
		t.Errorf("release %+v", r)
	}

	candidate.AutoInstall = integration.Spec.AutoInstall.DeepCopy()
	candidate.AutoInstall.HelmConfig.Chart, candidate.AutoInstall.HelmConfig.ValuesObject = "podinfo-lite", &runtime.RawExtension{Raw: []byte(`{"replicas":"many"}`)}
	if diff := l.diff(t, candidate); !slices.ContainsFunc(diff.Status.Objects, func(o v1alpha1.ObjectDiff) bool {
		return o.Change == v1alpha1.DiffRefused && o.Kind == "Deployment" && o.Message != ""
	}) {
		t.Errorf("nothing was refused: %+v", diff.Status)
	}
	candidate.Type = v1alpha1.IntegrationTypeFlux
	_, err = s.ksit.KsitV1alpha1().Installations(l.ns).Diff(t.Context(), "told.one", &v1alpha1.InstallationDiff{Spec: v1alpha1.InstallationDiffSpec{Integration: candidate}}, metav1.CreateOptions{})
	if err == nil || !strings.Contains(err.Error(), "spec.integration.type") {
		t.Errorf("of another type: %v", err)
	}
}

func (l *liveQuestions) diff(t testing.TB, candidate *v1alpha1.IntegrationSpec) *v1alpha1.InstallationDiff {
	t.Helper()
	diff, err := s.ksit.KsitV1alpha1().Installations(l.ns).Diff(t.Context(), "told.one",
		&v1alpha1.InstallationDiff{Spec: v1alpha1.InstallationDiffSpec{Integration: candidate}}, metav1.CreateOptions{})
	must(t, err)
	text, err := json.Marshal(diff)
	must(t, err)
	l.decode(t, string(text), &v1alpha1.InstallationDiff{})
	return diff
}

func (l *liveQuestions) rights(t *testing.T) {
	for _, role := range []string{"view", "edit"} {
		kubectl(t, "", "create", "rolebinding", role, "-n", l.ns, "--clusterrole="+role, "--user="+role)
	}
	may := func(ctx context.Context, who, verb, resource, subresource string) bool {
		out, _ := tryKubectl(ctx, s.bed.Host.Kubeconfig, "", "auth", "can-i", verb, resource+".ksit.io", "--subresource="+subresource, "-n", l.ns, "--as="+who)
		return strings.HasPrefix(out, "yes")
	}
	for _, tc := range []struct {
		verb, resource, subresource string
		view                        bool
	}{
		{"get", "installations", "health", true},
		{"get", "installations", "history", true},
		{"get", "integrationtargets", "health", true},
		{"get", "installations", "manifest", false},
		{"create", "installations", "diff", false},
	} {
		// The roles of the host are put together by one of its controllers.
		if !poll(t.Context(), eventually, func(ctx context.Context) bool { return may(ctx, "edit", tc.verb, tc.resource, tc.subresource) }) {
			t.Errorf("who may edit may not %s %s/%s", tc.verb, tc.resource, tc.subresource)
		}
		if may(t.Context(), "view", tc.verb, tc.resource, tc.subresource) != tc.view {
			t.Errorf("that who may view may %s %s/%s is not %t", tc.verb, tc.resource, tc.subresource, tc.view)
		}
	}
	out, err := tryKubectl(t.Context(), s.bed.Host.Kubeconfig, "", "get", "--raw", l.path("installations", "told.one", "manifest"), "--as=view")
	if err == nil || !strings.Contains(strings.ToLower(out), "forbidden") {
		t.Errorf("who may view got the manifest: %v, %s", err, out)
	}
}
