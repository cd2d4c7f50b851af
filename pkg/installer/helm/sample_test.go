// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

// TestSampleOfValues evaluates the sample that docs/values.md refers to.
func TestSampleOfValues(t *testing.T) {
	content, err := os.ReadFile("../../../artifacts/samples/values-from.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var configMap corev1.ConfigMap
	var secret corev1.Secret
	var integration v1alpha1.Integration
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for _, into := range []any{&configMap, &secret, &integration} {
		if err := decoder.Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	if err := decoder.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		t.Fatalf("the sample has more than three objects (%v)", err)
	}
	config := integration.Spec.AutoInstall.HelmConfig
	var sources []installer.Values
	for n, text := range []string{configMap.Data["values.yaml"], secret.StringData["cache-url"]} {
		sources = append(sources, installer.Values{Content: []byte(text), TargetPath: config.ValuesFrom[n].TargetPath, Secret: config.ValuesFrom[n].Kind == v1alpha1.SourceSecret})
	}
	config.ReleaseName = integration.Name
	releases, _, err := plan(installer.Request{
		Owner:     installer.Owner{Namespace: integration.Namespace, Integration: integration.Name},
		Namespace: integration.Spec.Config["namespace"], AutoInstall: integration.Spec.AutoInstall,
		Sources: installer.Sources{Values: sources},
		Target:  installer.Target{Name: "production-cluster-1", ClusterName: "production-cluster-1", Labels: map[string]string{"podinfo-replicas": "3"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `cache: <redacted>
replicaCount: 3
resources:
  requests:
    memory: 32Mi
ui:
  color: '#34577c'
  logo: https://example.com/podinfo.png
  message: Hello from production-cluster-1
`
	if diff := cmp.Diff(want, show(releases[0].marked)); diff != "" {
		t.Error(diff)
	}
	if got := releases[0].wish.values["cache"]; got != "redis://:change-me@redis.eu.example.com:6379" {
		t.Errorf("cache is %v", got)
	}
}
