// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/installer"
)

// TestValuesFromSecrets installs with values of a Secret, evaluated for the
// target, and fails with them.
func TestValuesFromSecrets(t *testing.T) {
	t.Parallel()
	const secret = "s3cret"
	b := newBench(t)
	b.charts.add(t, "web", "1.0.0", files{
		"templates/c.yaml": configMap,
		"templates/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}}\ndata: {password: {{ .Values.password | b64enc }}}\n",
	})
	b.charts.add(t, "web", "2.0.0", files{"templates/c.yaml": `{{ fail (printf "cannot use %s, %s, %s" .Values.password (.Values.password | b64enc) .Values.color) }}`})
	b.charts.add(t, "web", "3.0.0", files{"templates/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, labels: {a: \"{{ .Values.password }} no label\"}}\n"})

	req := b.request("values", "web", "1.0.0")
	req.Target = installer.Target{Namespace: "team", Name: "one", ClusterName: "cluster-one", Labels: map[string]string{"color": "blue"}}
	req.AutoInstall.HelmConfig.TemplateValues = true
	req.AutoInstall.HelmConfig.Values = map[string]string{"color": "${target.labels.color}"}
	req.Sources.Values = []installer.Values{fromConfigMap("color: red"), fromSecretAt(secret+"-${target.name}", "password")}
	want := "color: blue\npassword: <redacted>\n"

	if result := b.apply(t, req); result.Values != want || !result.Changed {
		t.Errorf("changed %t, values %q", result.Changed, result.Values)
	}
	object, err := b.Client.CoreV1().Secrets("values").Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil || string(object.Data["password"]) != secret+"-one" {
		t.Errorf("the Secret on the target has %q, %v", object.Data["password"], err)
	}
	if cm, err := b.Client.CoreV1().ConfigMaps("values").Get(t.Context(), "web", metav1.GetOptions{}); err != nil || cm.Data["color"] != "blue" {
		t.Errorf("ConfigMap %v, %v", cm.Data, err)
	}

	b.proxy.take()
	if again := b.apply(t, req); again.Values != want || again.Changed || len(writes(b.proxy.take())) != 0 {
		t.Errorf("a second Apply changed %t, values %q", again.Changed, again.Values)
	}
	req.Target.Labels = map[string]string{"color": "green"}
	if result := b.apply(t, req); result.Values != strings.Replace(want, "blue", "green", 1) || !result.Changed {
		t.Errorf("after a new label: changed %t, values %q", result.Changed, result.Values)
	}

	for _, version := range []string{"2.0.0", "3.0.0"} {
		req.AutoInstall.HelmConfig.Version = version
		result, err := b.installer.Apply(t.Context(), b.conn, req)
		if err == nil {
			t.Fatalf("version %s went through", version)
		}
		if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "czNjcmV0") || !strings.Contains(err.Error(), redacted) {
			t.Errorf("version %s: the error is %v", version, err)
		}
		if result.Values != "" {
			t.Errorf("version %s failed and has values %q", version, result.Values)
		}
	}
}
