// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/preview"
)

const (
	secretManifest = `apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: {{ .Values.password | quote }}, other: fixed-value}
`
	leakyManifest = `apiVersion: v1
kind: ConfigMap
metadata: {name: leaky}
data: {url: "db://{{ .Values.password }}@host", color: {{ .Values.color | default "red" }}}
`
)

// secretly gives a request a password out of a Secret.
func secretly(req installer.Request, password string) installer.Request {
	req.Sources.Values = []installer.Values{{Origin: "Secret a/b, key c", Content: []byte(password), TargetPath: "password", Secret: true}}
	return req
}

func TestPreview(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	t.Run("of a first install", b.testPreviewInstall)
	t.Run("of an upgrade", b.testPreviewUpgrade)
	t.Run("of CRDs and what they bring", b.testPreviewCRDs)
	t.Run("of what is refused", b.testPreviewRefused)
	t.Run("of a release that is as it is asked for", b.testPreviewSettled)
	t.Run("and what is installed", b.testHistoryAndManifest)
}

// preview makes a diff, and fails the test where that wrote anything.
func (b *bench) preview(t *testing.T, req installer.Request, unchanged bool) *v1alpha1.InstallationDiffStatus {
	t.Helper()
	b.proxy.setBefore(func(r *http.Request) {
		if r.Method != http.MethodGet && r.URL.Query().Get("dryRun") != "All" {
			t.Errorf("a preview writes: %s %s", r.Method, r.URL)
		}
	})
	defer b.proxy.setBefore(nil)
	plan, err := b.installer.Preview(t.Context(), b.conn, req)
	if err != nil {
		t.Fatalf("Preview: %v", err)
	}
	found, err := preview.Compare(t.Context(), b.conn, plan, unchanged)
	if err != nil {
		t.Fatalf("Compare: %v", err)
	}
	return found
}

func changes(found *v1alpha1.InstallationDiffStatus) []string {
	var out []string
	for _, o := range found.Objects {
		out = append(out, fmt.Sprintf("%s %s %s", o.Change, o.Kind, o.Name))
	}
	return out
}

func diffOf(t *testing.T, found *v1alpha1.InstallationDiffStatus, kind, name string) v1alpha1.ObjectDiff {
	t.Helper()
	for _, o := range found.Objects {
		if o.Kind == kind && o.Name == name {
			return o
		}
	}
	t.Fatalf("no %s %s among %q", kind, name, changes(found))
	return v1alpha1.ObjectDiff{}
}

func wantParts(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

func (b *bench) testPreviewInstall(t *testing.T) {
	b.charts.add(t, "first", "1.0.0", files{"templates/a.yaml": deployment, "templates/b.yaml": secretManifest,
		"templates/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hooked, annotations: {helm.sh/hook: pre-install}}\n"})
	found := b.preview(t, secretly(b.request("pre-install", "first", "1.0.0"), "hunter2-secret"), false)
	if diff := cmp.Diff([]string{"Added Secret first", "Added Deployment first"}, changes(found)); diff != "" {
		t.Errorf("objects (-want +got)\n%s", diff)
	}
	if found.Summary != (v1alpha1.DiffSummary{Added: 2}) {
		t.Errorf("summary is %+v", found.Summary)
	}
	secret := diffOf(t, found, "Secret", "first").Diff
	wantParts(t, secret, "+  password: <redacted>\n", "+    meta.helm.sh/release-name: first\n")
	if strings.Contains(secret, "hunter2") || strings.Contains(secret, "fixed-value") {
		t.Errorf("a Secret is shown:\n%s", secret)
	}
	wantParts(t, strings.Join(found.Notes, "\n"), "1 hooks", "2 objects are in namespaces that would be made")
	if r := found.Releases[0]; r.Name != "first" || r.Version != "1.0.0" || r.AppVersion != "app-1.0.0" || r.Revision != 1 || r.Digest == "" {
		t.Errorf("release %+v", r)
	}
	if _, err := b.Client.CoreV1().Namespaces().Get(t.Context(), "pre-install", metav1.GetOptions{}); err == nil {
		t.Error("the namespace was made")
	}
}

func (b *bench) testPreviewUpgrade(t *testing.T) {
	b.charts.add(t, "grown", "1.0.0", files{"templates/a.yaml": deployment, "templates/b.yaml": configMap, "templates/c.yaml": secretManifest, "templates/d.yaml": leakyManifest,
		"templates/e.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, annotations: {helm.sh/resource-policy: keep}}\n",
		"templates/f.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: dropped}\ndata: {a: b}\n"})
	b.charts.add(t, "grown", "2.0.0", files{"templates/a.yaml": deployment, "templates/b.yaml": configMap, "templates/c.yaml": secretManifest, "templates/d.yaml": leakyManifest,
		"templates/g.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: added}\ndata: {upgrade: {{ .Release.IsUpgrade | quote }}, revision: {{ .Release.Revision | quote }}}\n"})
	req := secretly(b.request("pre-upgrade", "grown", "1.0.0"), "hunter2-secret")
	req.Recorded = b.apply(t, req).Releases
	next := secretly(withValues(b.request("pre-upgrade", "grown", "2.0.0"), map[string]any{"color": "blue", "replicas": 3}), "correct-horse")
	next.Recorded = req.Recorded
	before := b.allObjects(t, "pre-upgrade")
	found := b.preview(t, next, false)
	want := []string{"Changed Secret grown", "Changed ConfigMap grown", "Changed ConfigMap leaky", "Added ConfigMap added", "Changed Deployment grown", "Removed ConfigMap dropped"}
	if diff := cmp.Diff(want, changes(found)); diff != "" {
		t.Errorf("objects (-want +got)\n%s", diff)
	}
	wantParts(t, diffOf(t, found, "ConfigMap", "grown").Diff, "-  color: red\n", "+  color: blue\n")
	wantParts(t, diffOf(t, found, "ConfigMap", "added").Diff, `+  upgrade: "true"`, `+  revision: "2"`)
	wantParts(t, diffOf(t, found, "ConfigMap", "dropped").Diff, "-  a: b\n")
	wantParts(t, diffOf(t, found, "Deployment", "grown").Diff, "-  replicas: 1\n", "+  replicas: 3\n")
	wantParts(t, diffOf(t, found, "Secret", "grown").Diff, "-  password: <redacted>\n", "+  password: <redacted, changed>\n", "   other: <redacted>\n")
	wantParts(t, diffOf(t, found, "ConfigMap", "leaky").Diff, "+  url: db://<redacted, changed>@host\n")
	wantParts(t, strings.Join(found.Notes, "\n"), "ConfigMap kept stays")
	for _, o := range found.Objects {
		if strings.Contains(o.Diff, "hunter2") || strings.Contains(o.Diff, "correct-horse") || strings.Contains(o.Diff, "managedFields") || strings.Contains(o.Diff, "resourceVersion") {
			t.Errorf("%s %s shows too much:\n%s", o.Kind, o.Name, o.Diff)
		}
	}
	if diff := cmp.Diff(before, b.allObjects(t, "pre-upgrade")); diff != "" {
		t.Errorf("the target changed:\n%s", diff)
	}
	// What was said is what happens.
	b.apply(t, next)
	if again := b.preview(t, next, true); again.Summary != (v1alpha1.DiffSummary{Unchanged: 5}) || len(again.Objects) != 5 {
		t.Errorf("after the upgrade: %+v, %q", again.Summary, changes(again))
	}
}

// allObjects are the resource versions of what a preview could have written.
func (b *bench) allObjects(t *testing.T, namespace string) map[string]string {
	t.Helper()
	out := map[string]string{}
	configMaps, err := b.Client.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range configMaps.Items {
		out["ConfigMap "+o.Name] = o.ResourceVersion
	}
	secrets, err := b.Client.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range secrets.Items {
		out["Secret "+o.Name] = o.ResourceVersion
	}
	return out
}

func (b *bench) testPreviewCRDs(t *testing.T) {
	b.charts.add(t, "crds", "1.0.0", files{"crds/a.yaml": crdOf("Dial", "dials"), "templates/b.yaml": crdOf("Knob", "knobs"),
		"templates/c.yaml": "apiVersion: example.com/v1\nkind: Dial\nmetadata: {name: one}\n", "templates/d.yaml": "apiVersion: example.com/v1\nkind: Knob\nmetadata: {name: two}\n"})
	req := b.request("pre-crds", "crds", "1.0.0")
	found := b.preview(t, req, false)
	want := []string{"Added CustomResourceDefinition dials.example.com", "Added CustomResourceDefinition knobs.example.com", "Added Dial one", "Added Knob two"}
	if diff := cmp.Diff(want, changes(found)); diff != "" {
		t.Errorf("objects (-want +got)\n%s", diff)
	}
	wantParts(t, strings.Join(found.Notes, "\n"), "2 objects are of kinds that the cluster does not know yet")
	req.Recorded = b.apply(t, req).Releases
	if again := b.preview(t, withValues(req, map[string]any{"a": 1}), false); again.Summary != (v1alpha1.DiffSummary{Unchanged: 4}) {
		t.Errorf("after the install: %+v, %q, %q", again.Summary, changes(again), again.Notes)
	}
}

func (b *bench) testPreviewRefused(t *testing.T) {
	b.charts.add(t, "odd", "1.0.0", files{"templates/a.yaml": configMap})
	b.charts.add(t, "odd", "2.0.0", files{"templates/a.yaml": configMap,
		"templates/b.yaml": "apiVersion: nowhere.example.com/v1\nkind: Nothing\nmetadata: {name: none}\n",
		"templates/c.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 99999}]}\n",
		"templates/d.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: elsewhere, namespace: no-such-namespace}\n",
		"templates/e.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: theirs}\n"})
	req := b.request("pre-refused", "odd", "1.0.0")
	recorded := b.apply(t, req).Releases
	if _, err := b.Client.CoreV1().ConfigMaps("pre-refused").Patch(t.Context(), "theirs", types.ApplyPatchType,
		[]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"theirs"}}`), metav1.PatchOptions{FieldManager: "them"}); err != nil {
		t.Fatal(err)
	}
	next := b.request("pre-refused", "odd", "2.0.0")
	next.Recorded = recorded
	found := b.preview(t, next, false)
	for name, message := range map[string]string{"none": "does not serve this kind", "bad": "between 1 and 65535", "elsewhere": "no-such-namespace", "theirs": "not the release's"} {
		ok := false
		for _, o := range found.Objects {
			ok = ok || o.Name == name && o.Change == v1alpha1.DiffRefused && strings.Contains(o.Message, message)
		}
		if !ok {
			t.Errorf("%s is not refused with %q: %+v", name, message, found.Objects)
		}
	}
	b.charts.add(t, "odd", "3.0.0", files{"templates/a.yaml": `{{ fail "no such thing" }}`})
	broken := b.request("pre-refused", "odd", "3.0.0")
	broken.Recorded = recorded
	_, err := b.installer.Preview(t.Context(), b.conn, broken)
	wantReason(t, err, installer.ReasonRenderFailed, true, "no such thing")
}

func (b *bench) testPreviewSettled(t *testing.T) {
	b.charts.add(t, "calm", "1.0.0", files{"templates/a.yaml": configMap, "templates/b.yaml": deployment})
	req := b.request("pre-calm", "calm", "1.0.0")
	req.Recorded = b.apply(t, req).Releases
	if found := b.preview(t, req, false); found.Summary != (v1alpha1.DiffSummary{Unchanged: 2}) || len(found.Objects) != 0 || len(found.Notes) != 0 {
		t.Errorf("of what stands: %+v, %q, %q", found.Summary, changes(found), found.Notes)
	}
	if _, err := b.Client.CoreV1().ConfigMaps("pre-calm").Patch(t.Context(), "calm", types.MergePatchType, []byte(`{"data":{"color":"green"}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	found := b.preview(t, req, false)
	if diff := cmp.Diff([]string{"Changed ConfigMap calm"}, changes(found)); diff != "" {
		t.Errorf("after drift (-want +got)\n%s", diff)
	}
	wantParts(t, strings.Join(found.Notes, "\n"), "That is drift")
	req.Owner.Integration = "other"
	_, err := b.installer.Preview(t.Context(), b.conn, req)
	wantReason(t, err, installer.ReasonReleaseConflict, true, "belongs to Integration")
}

func (b *bench) testHistoryAndManifest(t *testing.T) {
	chart := files{"templates/a.yaml": configMap, "templates/b.yaml": secretManifest, "templates/c.yaml": leakyManifest,
		"templates/d.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hooked, annotations: {helm.sh/hook: post-install}}\n"}
	b.charts.add(t, "told", "1.0.0", chart)
	b.charts.add(t, "told", "1.1.0", chart)
	req := secretly(withValues(b.request("told", "told", "1.0.0"), map[string]any{"color": "green", "admin": map[string]any{"token": "older-token"}}), "hunter2-secret")
	b.apply(t, req)
	req = secretly(withValues(b.request("told", "told", "1.1.0"), map[string]any{"color": "blue"}), "hunter2-secret")
	result := b.apply(t, req)
	req.Recorded = result.Releases
	histories, err := b.installer.History(t.Context(), b.conn, installer.Query{Request: req})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range histories[0].Revisions {
		got = append(got, fmt.Sprintf("%d %s %s %s %s %t", r.Revision, r.Status, r.Chart, r.Version, r.AppVersion, r.DeployedAt != nil))
	}
	if diff := cmp.Diff([]string{"2 deployed told 1.1.0 app-1.1.0 true", "1 superseded told 1.0.0 app-1.0.0 true"}, got); diff != "" {
		t.Errorf("history (-want +got)\n%s", diff)
	}
	if digest := histories[0].Revisions[0].Digest; digest != result.Releases[0].Digest || digest == histories[0].Revisions[1].Digest {
		t.Errorf("digest is %s, on the status it is %s", digest, result.Releases[0].Digest)
	}

	manifests, err := b.installer.Manifest(t.Context(), b.conn, installer.Query{Request: req})
	if err != nil {
		t.Fatal(err)
	}
	m := manifests[0]
	wantParts(t, m.Values, "color: blue", "password: <redacted>")
	wantParts(t, m.Manifest, "# Source: told/templates/a.yaml", "color: blue", "  password: <redacted>", "db://<redacted>@host")
	if strings.Contains(m.Manifest+m.Values, "hunter2") || strings.Contains(m.Manifest, "fixed-value") {
		t.Errorf("shows a secret:\n%s\n%s", m.Values, m.Manifest)
	}
	if hook := strings.Index(m.Manifest, "name: hooked"); hook < strings.LastIndex(m.Manifest, "name: leaky") || m.Revision != 2 || m.Truncated {
		t.Errorf("hooks are not last in %+v", m)
	}
	older, err := b.installer.Manifest(t.Context(), b.conn, installer.Query{Request: req, Release: "told", Revision: 1})
	if err != nil {
		t.Fatal(err)
	}
	wantParts(t, older[0].Values, "color: green", "token: <redacted>", "password: <redacted>")
	unknown, err := b.installer.Manifest(t.Context(), b.conn, installer.Query{Request: req, SourcesUnknown: true})
	if err != nil {
		t.Fatal(err)
	}
	wantParts(t, unknown[0].Values, "color: <redacted>", "password: <redacted>")
	if strings.Contains(unknown[0].Manifest, "hunter2") {
		t.Errorf("shows a secret:\n%s", unknown[0].Manifest)
	}
	_, err = b.installer.Manifest(t.Context(), b.conn, installer.Query{Request: req, Revision: 7})
	wantReason(t, err, installer.ReasonReleaseMissing, true, "no revision 7")
}
