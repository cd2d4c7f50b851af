// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// keeps is a chart that keeps the password it made, and shows what else it sees.
const keeps = `{{- $old := lookup "v1" "Secret" .Release.Namespace "kept" -}}
apiVersion: v1
kind: Secret
metadata: {name: kept}
stringData:
  password: {{ if $old }}{{ index $old.data "password" | b64dec }}{{ else }}{{ randAlphaNum 16 }}{{ end }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: seen}
data:
  color: {{ .Values.color }}
  foreign: "{{ if lookup "v1" "Secret" "foreign" "foreign" }}yes{{ end }}"
  namespace: "{{ if lookup "v1" "Namespace" "" "foreign" }}yes{{ end }}"
  unserved: "{{ if lookup "example.com/v9" "Nothing" "" "" }}yes{{ end }}"
  secrets: "{{ range (lookup "v1" "Secret" "" "").items }}{{ .metadata.namespace }}/{{ .metadata.name }} {{ end }}"
  there: "{{ range (lookup "v1" "Secret" "foreign" "").items }}{{ .metadata.name }} {{ end }}"
`

// TestLookupPolicies installs and upgrades a chart under each policy.
func TestLookupPolicies(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.charts.add(t, "keeps", "1.0.0", files{"templates/k.yaml": keeps})
	for _, obj := range []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "foreign"}}} {
		if _, err := b.Client.CoreV1().Namespaces().Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	foreign := &corev1.Secret{
		// As that of a release of the same name elsewhere.
		ObjectMeta: metav1.ObjectMeta{Name: "foreign", Labels: map[string]string{labelManagedBy: "Helm"}, Annotations: map[string]string{
			annotationReleaseName: "keeps", annotationReleaseNamespace: "foreign",
		}},
		StringData: map[string]string{"password": "topsecret"},
	}
	if _, err := b.Client.CoreV1().Secrets("foreign").Create(t.Context(), foreign, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for policy, want := range map[LookupPolicy]struct {
		keeps, sees bool
	}{
		LookupNone:    {},
		LookupRelease: {keeps: true},
		LookupAll:     {keeps: true, sees: true},
	} {
		t.Run(string(policy), func(t *testing.T) {
			ns := "lookup-" + strings.ToLower(string(policy))
			installer := newInstaller(t, nil)
			installer.lookups = policy
			var passwords []string
			for _, color := range []string{"red", "blue"} {
				req := withValues(b.request(ns, "keeps", "1.0.0"), map[string]any{"color": color})
				if _, err := installer.Apply(t.Context(), b.conn, req); err != nil {
					t.Fatal(err)
				}
				kept, err := b.Client.CoreV1().Secrets(ns).Get(t.Context(), "kept", metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				passwords = append(passwords, string(kept.Data["password"]))
			}
			if (passwords[0] == passwords[1]) != want.keeps || len(passwords[0]) != 16 {
				t.Errorf("passwords %q", passwords)
			}
			seen, err := b.Client.CoreV1().ConfigMaps(ns).Get(t.Context(), "seen", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			d := seen.Data
			if sees := d["foreign"] == "yes" && d["namespace"] == "yes" && strings.Contains(d["secrets"], "foreign/foreign") && strings.Contains(d["there"], "foreign"); sees != want.sees {
				t.Errorf("it sees %v", d)
			}
			if !want.sees && (d["foreign"]+d["namespace"]+d["there"] != "" || strings.Contains(d["secrets"], "foreign")) {
				t.Errorf("it sees something of others: %v", d)
			}
			if want.keeps && !strings.Contains(d["secrets"], ns+"/kept") || d["unserved"] != "" {
				t.Errorf("it sees %v", d)
			}
		})
	}
}
