// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/rewrite"
	"ksit.io/ksit/test/env"
)

func TestRollouts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, test := range map[string]func(*testing.T){
		"crds directory":    b.testCRDsDirectory,
		"crds in templates": b.testCRDsInTemplates,
		"hooks":             b.testHooks,
		"failed hook":       b.testFailedHook,
		"not ready":         b.testNotReady,
		"canceled":          b.testCanceled,
		"too large":         b.testTooLarge,
		"images":            b.testImages,
		"bad templates":     b.testBadTemplates,
		"invalid object":    b.testInvalidObject,
		"istio":             b.testIstio,
		"capabilities":      b.testCapabilities,
		"turns":             b.testTurns,
		"runaway":           b.testRunaway,
		"thousand objects":  b.testThousand,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

func customResource(kind, name string) string {
	return "apiVersion: example.com/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: {color: {{ .Values.color | default \"red\" }}}\n"
}

func (b *bench) custom(t *testing.T, namespace, plural, name string) error {
	t.Helper()
	_, err := b.conn.Dynamic().Resource(schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: plural}).
		Namespace(namespace).Get(t.Context(), name, metav1.GetOptions{})
	return err
}

func (b *bench) crd(t *testing.T, name string) (*metav1.PartialObjectMetadata, error) {
	t.Helper()
	return b.conn.Metadata().Resource(crdResource).Get(t.Context(), name, metav1.GetOptions{})
}

func (b *bench) testCRDsDirectory(t *testing.T) {
	content := files{
		"crds/apples.yaml":               crdOf("Apple", "apples") + "---\n" + crdOf("Pear", "pears"),
		"templates/apple.yaml":           customResource("Apple", "a"),
		"charts/sub/Chart.yaml":          "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
		"charts/sub/crds/plums.yaml":     crdOf("Plum", "plums"),
		"charts/sub/templates/plum.yaml": customResource("Plum", "a"),
	}
	b.charts.add(t, "fruit", "1.0.0", content)
	content["crds/apples.yaml"] = strings.Replace(crdOf("Apple", "apples"), "spec:", "  labels: {changed: \"true\"}\nspec:", 1)
	b.charts.add(t, "fruit", "1.1.0", content)

	skip := b.request("crds-directory", "fruit", "1.0.0")
	skip.AutoInstall.CRDPolicy = v1alpha1.CRDPolicySkip
	_, err := b.installer.Apply(t.Context(), b.conn, skip)
	wantReason(t, err, installer.ReasonInstallFailed, false, "no matches for kind")

	result := b.apply(t, b.request("crds-directory", "fruit", "1.0.0"))
	for _, plural := range []string{"apples", "plums"} {
		if err := b.custom(t, "crds-directory", plural, "a"); err != nil {
			t.Error(err)
		}
	}
	create := b.request("crds-directory", "fruit", "1.1.0")
	create.AutoInstall.CRDPolicy = v1alpha1.CRDPolicyCreate
	b.apply(t, create)
	if crd, err := b.crd(t, "apples.example.com"); err != nil || crd.Labels["changed"] != "" {
		t.Errorf("with policy Create: %v, %v", crd, err)
	}
	b.apply(t, withValues(b.request("crds-directory", "fruit", "1.1.0"), map[string]any{"color": "green"}))
	if crd, err := b.crd(t, "apples.example.com"); err != nil || crd.Labels["changed"] != "true" {
		t.Errorf("with policy CreateReplace: %v, %v", crd, err)
	}
	if err := b.installer.Uninstall(t.Context(), b.conn, installer.Removal{Owner: create.Owner, Releases: result.Releases, Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.crd(t, "apples.example.com"); err != nil {
		t.Errorf("the CRD did not stay: %v", err)
	}
}

func (b *bench) testCRDsInTemplates(t *testing.T) {
	content := files{
		"templates/crd.yaml": crdOf("Berry", "berries"),
		"templates/cr.yaml":  customResource("Berry", "a"),
	}
	b.charts.add(t, "garden", "1.0.0", content)
	req := b.request("crds-in-templates", "garden", "1.0.0")
	result := b.apply(t, req)
	if result.Releases[0].Objects != 2 {
		t.Errorf("releases %+v", result.Releases)
	}
	if err := b.custom(t, "crds-in-templates", "berries", "a"); err != nil {
		t.Error(err)
	}
	crd, err := b.crd(t, "berries.example.com")
	if err != nil || crd.Annotations["meta.helm.sh/release-name"] != "garden" || crd.Labels["app.kubernetes.io/managed-by"] != "Helm" {
		t.Errorf("CRD %+v, %v", crd, err)
	}
	b.apply(t, withValues(req, map[string]any{"color": "green"}))

	// Another release may not have the CRD while this one stands.
	second := req
	second.Owner.Integration = "second"
	second.AutoInstall = req.AutoInstall.DeepCopy()
	second.AutoInstall.HelmConfig.ReleaseName = "garden2"
	_, err = b.installer.Apply(t.Context(), b.conn, second)
	wantReason(t, err, installer.ReasonReleaseConflict, true, "berries.example.com", "garden")

	if err := b.installer.Uninstall(t.Context(), b.conn, installer.Removal{Owner: req.Owner, Releases: result.Releases, Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if err := b.custom(t, "crds-in-templates", "berries", "a"); !apierrors.IsNotFound(err) {
		t.Errorf("the custom resource is still there: %v", err)
	}
	if now, err := b.crd(t, "berries.example.com"); err != nil || now.UID != crd.UID {
		t.Fatalf("the CRD did not stay: %v", err)
	}
	result = b.apply(t, second)

	// A CRD that somebody deleted takes its objects along; the rest can go.
	if err := b.conn.Metadata().Resource(crdResource).Delete(t.Context(), "berries.example.com", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for b.custom(t, "crds-in-templates", "berries", "a") == nil {
		time.Sleep(50 * time.Millisecond)
	}
	b.conn.RESTMapper().Reset()
	if err := b.installer.Uninstall(t.Context(), b.conn, installer.Removal{Owner: second.Owner, Releases: result.Releases, Timeout: time.Minute}); err != nil {
		t.Errorf("without its CRD: %v", err)
	}
}

func hookJob(name, events, outcome string) string {
	return `apiVersion: batch/v1
kind: Job
metadata:
  name: ` + name + `
  annotations: {helm.sh/hook: "` + events + `"}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {` + env.PodOutcome + `: "` + outcome + `"}}
    spec:
      restartPolicy: Never
      containers: [{name: a, image: docker.io/library/a:1}]
`
}

func (b *bench) testHooks(t *testing.T) {
	b.charts.add(t, "hooks", "1.0.0", files{
		"templates/pre.yaml":  hookJob("pre", "pre-install,pre-upgrade", ""),
		"templates/post.yaml": hookJob("post", "post-install,post-upgrade", ""),
		"templates/d.yaml":    deployment,
	})
	req := b.request("hooks", "hooks", "1.0.0")
	result := b.apply(t, req)
	get := func(name string) metav1.Time {
		job, err := b.Client.BatchV1().Jobs("hooks").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || job.Status.Succeeded != 1 {
			t.Fatalf("job %s: %+v, %v", name, job.Status, err)
		}
		return job.CreationTimestamp
	}
	d, err := b.Client.AppsV1().Deployments("hooks").Get(t.Context(), "hooks", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if pre, post := get("pre"), get("post"); pre.After(d.CreationTimestamp.Time) || post.Time.Before(d.CreationTimestamp.Time) {
		t.Errorf("order: pre %s, deployment %s, post %s", pre, d.CreationTimestamp, post)
	}
	ids, err := b.installer.Objects(t.Context(), b.conn, result.Releases)
	if err != nil || len(ids) != 1 {
		t.Errorf("objects %v, %v: hooks are none", ids, err)
	}
	b.apply(t, withValues(req, map[string]any{"replicas": 2}))
}

func (b *bench) testFailedHook(t *testing.T) {
	b.charts.add(t, "failedhook", "1.0.0", files{
		"templates/pre.yaml": hookJob("pre", "pre-install", "{{ .Values.outcome }}"),
		"templates/c.yaml":   configMap,
	})
	req := withValues(b.request("failed-hook", "failedhook", "1.0.0"), map[string]any{"outcome": "failed"})
	result, err := b.installer.Apply(t.Context(), b.conn, req)
	wantReason(t, err, installer.ReasonHookFailed, false, "Job failed-hook/pre", "BackoffLimitExceeded")
	if len(result.Releases) != 1 || result.Releases[0].Revision != 1 {
		t.Errorf("releases %+v", result.Releases)
	}
	// A first install that failed is tried again as an install: its hooks run.
	_, err = b.installer.Apply(t.Context(), b.conn, req)
	wantReason(t, err, installer.ReasonHookFailed, false)
}

func (b *bench) testNotReady(t *testing.T) {
	b.charts.add(t, "notready", "1.0.0", files{"templates/d.yaml": deployment})
	req := withValues(b.request("not-ready", "notready", "1.0.0"), map[string]any{"podAnnotations": map[string]any{env.PodOutcome: env.PodPending}})
	req.Timeout = 3 * time.Second
	start := time.Now()
	result, err := b.installer.Apply(t.Context(), b.conn, req)
	wantReason(t, err, installer.ReasonNotReady, false, "Deployment not-ready/notready")
	if took := time.Since(start); took > 12*time.Second {
		t.Errorf("it took %s", took)
	}
	if len(result.Releases) != 1 || !result.Changed {
		t.Errorf("result %+v", result)
	}
	before, err := b.Client.AppsV1().Deployments("not-ready").Get(t.Context(), "notready", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	req = b.request("not-ready", "notready", "1.0.0")
	if result := b.apply(t, req); result.Releases[0].Revision != 2 {
		t.Errorf("after the mend: %+v", result.Releases)
	}
	after, err := b.Client.AppsV1().Deployments("not-ready").Get(t.Context(), "notready", metav1.GetOptions{})
	if err != nil || after.UID != before.UID {
		t.Errorf("the Deployment was made anew: %v", err)
	}
}

func (b *bench) testCanceled(t *testing.T) {
	b.charts.add(t, "canceled", "1.0.0", files{"templates/d.yaml": deployment})
	req := withValues(b.request("canceled", "canceled", "1.0.0"), map[string]any{"podAnnotations": map[string]any{env.PodOutcome: env.PodPending}})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(2*time.Second, cancel)
	start := time.Now()
	_, err := b.installer.Apply(ctx, b.conn, req)
	wantReason(t, err, installer.ReasonCanceled, false)
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	// How it ended is on record.
	if s := b.releaseSecrets(t, "canceled", "canceled"); len(s) != 1 || s[0].Labels["status"] != "failed" {
		t.Errorf("release Secrets: %+v", s)
	}
}

func (b *bench) testTooLarge(t *testing.T) {
	noise := make([]byte, 1<<20)
	_, _ = rand.Read(noise)
	for name, template := range map[string]string{
		"large": configMap,
		// Its CRDs are needed before it is rendered.
		"looking-large": configMap + `  seen: {{ lookup "v1" "Namespace" "" "nowhere" | len | quote }}` + "\n",
	} {
		b.charts.add(t, name, "1.0.0", files{
			"noise.txt":        base64.StdEncoding.EncodeToString(noise),
			"crds/c.yaml":      crdOf("Melon", "melons"),
			"templates/c.yaml": template,
		})
		_, err := b.installer.Apply(t.Context(), b.conn, b.request("too-large", name, "1.0.0"))
		wantReason(t, err, installer.ReasonTooLarge, true, "KiB compressed", "there is room for")
	}
	if _, err := b.Client.CoreV1().Namespaces().Get(t.Context(), "too-large", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("something was applied: %v", err)
	}
	if _, err := b.crd(t, "melons.example.com"); !apierrors.IsNotFound(err) {
		t.Errorf("a CRD was applied: %v", err)
	}
}

func (b *bench) testThousand(t *testing.T) {
	const ns = "thousand"
	b.charts.add(t, ns, "1.0.0", files{
		"templates/many.yaml": "{{ range $n := until 1000 }}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: object-{{ $n }}}\ndata: {color: {{ $.Values.color | quote }}}\n{{ end }}",
	})
	timed := func(what string, do func()) {
		start := time.Now()
		do()
		t.Logf("%s in %s", what, time.Since(start).Round(time.Millisecond))
	}
	req := withValues(b.request(ns, ns, "1.0.0"), map[string]any{"color": "red"})
	req.Timeout = 5 * time.Minute
	var result installer.Result
	timed("installed", func() { result = b.apply(t, req) })
	if result.Releases[0].Objects != 1000 {
		t.Errorf("%d objects", result.Releases[0].Objects)
	}
	timed("found unchanged", func() {
		if b.apply(t, req).Changed {
			t.Error("it is installed again")
		}
	})
	timed("upgraded", func() { result = b.apply(t, withValues(req, map[string]any{"color": "green"})) })
	timed("uninstalled", func() {
		if err := b.installer.Uninstall(t.Context(), b.conn, installer.Removal{Owner: req.Owner, Releases: result.Releases, Timeout: req.Timeout}); err != nil {
			t.Fatal(err)
		}
	})
	left, err := b.Client.CoreV1().ConfigMaps(ns).List(t.Context(), metav1.ListOptions{LabelSelector: labelManagedBy})
	if err != nil || len(left.Items) > 0 {
		t.Errorf("%d objects are left, %v", len(left.Items), err)
	}
}

func (b *bench) testImages(t *testing.T) {
	table, err := rewrite.New(nil, rewrite.Rule{From: "docker.io/", To: "mirror.example.com/hub/"})
	if err != nil {
		t.Fatal(err)
	}
	b.charts.add(t, "images", "1.0.0", files{"templates/d.yaml": deployment, "templates/pre.yaml": hookJob("pre", "pre-install", "")})
	if _, err := newInstaller(t, table).Apply(t.Context(), b.conn, b.request("images", "images", "1.0.0")); err != nil {
		t.Fatal(err)
	}
	const want = "mirror.example.com/hub/library/a:1"
	d, err := b.Client.AppsV1().Deployments("images").Get(t.Context(), "images", metav1.GetOptions{})
	if err != nil || d.Spec.Template.Spec.Containers[0].Image != want {
		t.Errorf("Deployment %+v, %v", d.Spec.Template.Spec.Containers, err)
	}
	j, err := b.Client.BatchV1().Jobs("images").Get(t.Context(), "pre", metav1.GetOptions{})
	if err != nil || j.Spec.Template.Spec.Containers[0].Image != want {
		t.Errorf("hook %+v, %v", j.Spec.Template.Spec.Containers, err)
	}
}

func (b *bench) testBadTemplates(t *testing.T) {
	b.charts.add(t, "bad", "1.0.0", files{"templates/c.yaml": `{{ fail (printf "bad password %s" .Values.password) }}`})
	b.charts.add(t, "bad", "2.0.0", files{"templates/c.yaml": "a: b: c\n"})
	b.charts.add(t, "bad", "3.0.0", files{"templates/c.yaml": configMap, "values.schema.json": `{"properties": {"password": {"type": "integer"}}}`})
	b.charts.add(t, "bad", "4.0.0", files{"templates/c.yaml": configMap, "Chart.yaml": "apiVersion: v2\nname: bad\nversion: 4.0.0\nkubeVersion: '>99'\n"})
	b.charts.add(t, "bad", "5.0.0", files{"templates/c.yaml": "{{ .Values.a.b.c }}"})
	for version, reason := range map[string]installer.Reason{
		"1.0.0": installer.ReasonRenderFailed,
		"2.0.0": installer.ReasonRenderFailed,
		"3.0.0": installer.ReasonValuesInvalid,
		"4.0.0": installer.ReasonChartInvalid,
		"5.0.0": installer.ReasonRenderFailed,
	} {
		req := withValues(b.request("bad", "bad", version), map[string]any{"password": "hunter2x"})
		_, err := b.installer.Apply(t.Context(), b.conn, req)
		wantReason(t, err, reason, true)
		if err != nil && strings.Contains(err.Error(), "hunter2x") {
			t.Errorf("the error tells a value: %v", err)
		}
	}
}

func (b *bench) testInvalidObject(t *testing.T) {
	b.charts.add(t, "invalid", "1.0.0", files{"templates/c.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Values.password | quote }}}\nspec: {ports: [{port: 1}]}\n"})
	req := withValues(b.request("invalid", "invalid", "1.0.0"), map[string]any{"password": "Hunter2x!"})
	_, err := b.installer.Apply(t.Context(), b.conn, req)
	wantReason(t, err, installer.ReasonInstallFailed, false, "metadata.name")
	if err != nil && strings.Contains(err.Error(), "Hunter2x!") {
		t.Errorf("the error tells a value: %v", err)
	}
}

func (b *bench) testIstio(t *testing.T) {
	b.charts.add(t, "base", "1.20.2", files{"templates/crd.yaml": crdOf("Gateway", "gateways")})
	b.charts.add(t, "istiod", "1.20.2", files{"templates/gw.yaml": customResource("Gateway", "a"), "templates/d.yaml": deployment})
	b.charts.add(t, "base", "1.20.3", files{})
	req := b.request("istio-system", "istiod", "1.20.3")
	req.Type = v1alpha1.IntegrationTypeIstio
	_, err := b.installer.Apply(t.Context(), b.conn, req)
	wantReason(t, err, installer.ReasonChartNotFound, false, "1.20.2")
	if n := len(b.releaseSecrets(t, "istio-system", "istio-base")); n != 0 {
		t.Error("base was installed without an istiod to come")
	}
	req.AutoInstall.HelmConfig.Version = "1.20.2"
	result := b.apply(t, req)
	if len(result.Releases) != 2 || result.Releases[0].Name != "istio-base" || result.Releases[1].Name != "istiod" {
		t.Errorf("releases %+v", result.Releases)
	}
}

// testCapabilities makes sure that templates see what the chart's own CRDs bring
// and what lookup finds, though CRDs are applied after the rendering.
func (b *bench) testCapabilities(t *testing.T) {
	b.charts.add(t, "caps", "1.0.0", files{
		"crds/c.yaml":      crdOf("Nut", "nuts"),
		"templates/n.yaml": `{{ if .Capabilities.APIVersions.Has "example.com/v1/Nut" }}` + "\n" + customResource("Nut", "a") + "{{ end }}\n",
	})
	b.apply(t, b.request("capabilities", "caps", "1.0.0"))
	if err := b.custom(t, "capabilities", "nuts", "a"); err != nil {
		t.Error(err)
	}
	b.charts.add(t, "looks", "1.0.0", files{
		"crds/c.yaml":      crdOf("Leaf", "leaves"),
		"templates/n.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: looks}\ndata: {found: {{ len (lookup \"example.com/v1\" \"Leaf\" \"\" \"\") | quote }}}\n",
	})
	b.apply(t, b.request("lookup", "looks", "1.0.0"))
}

// testTurns makes sure that a chart that never becomes ready keeps no other one
// waiting, even where one chart is handled at a time.
func (b *bench) testTurns(t *testing.T) {
	b.charts.add(t, "turns", "1.0.0", files{"templates/d.yaml": deployment})
	one := newInstaller(t, nil)
	one.renders = make(chan struct{}, 1)
	never := withValues(b.request("turns-never", "turns", "1.0.0"), map[string]any{"podAnnotations": map[string]any{env.PodOutcome: env.PodPending}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = one.Apply(ctx, b.conn, never)
	}()
	defer func() {
		cancel()
		<-ended
	}()
	for {
		if _, err := b.Client.AppsV1().Deployments("turns-never").Get(t.Context(), "turns", metav1.GetOptions{}); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if _, err := one.Apply(t.Context(), b.conn, b.request("turns", "turns", "1.0.0")); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
		t.Error("the first one did not wait")
	default:
	}
}
