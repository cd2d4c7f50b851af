// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// TestMonitoringFiles makes sure that alerts and dashboards come to the cluster as they
// are in their files, with the braces that are for Prometheus and Grafana, and only
// when they are asked for.
func TestMonitoringFiles(t *testing.T) {
	all := render(t, "-f", cases(t)["everything-ha"])
	if content, err := os.ReadFile(path + "/files/rules.yaml"); err == nil {
		var want map[string]any
		if err := yaml.Unmarshal(content, &want); err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		spec, _, _ := unstructured.NestedMap(all.find(t, "PrometheusRule", "ksit").Object, "spec")
		if err := roundTrip(spec, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the rules (-file +rendered):\n%s", diff)
		}
	}
	dashboards, err := filepath.Glob(path + "/dashboards/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range dashboards {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		var config corev1.ConfigMap
		object := all.find(t, "ConfigMap", "ksit-dashboard-"+strings.TrimSuffix(name, ".json"))
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &config); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimSpace(string(want)), strings.TrimSpace(config.Data[name])); diff != "" {
			t.Errorf("%s (-file +rendered):\n%s", name, diff)
		}
		if config.Labels["grafana_dashboard"] != "1" {
			t.Errorf("%s has the labels %v", name, config.Labels)
		}
	}
	for _, object := range render(t) {
		if object.GroupVersionKind().Group == "monitoring.coreos.com" || strings.HasPrefix(object.GetName(), "ksit-dashboard-") {
			t.Errorf("nobody asked for %s %s", object.GetKind(), object.GetName())
		}
	}
}

// roundTrip has numbers in both be of one type.
func roundTrip(from, to any) error {
	content, err := yaml.Marshal(from)
	if err != nil {
		return err
	}
	return yaml.Unmarshal(content, to)
}

// TestScraped makes sure that each process is scraped once, by a Service that exists,
// at a port that it has, under the name in the certificate.
func TestScraped(t *testing.T) {
	for name, want := range map[string][]string{
		"everything-server": {"ksit-controller-manager"},
		"everything-ha":     {"ksit-apiserver", "ksit-controller-manager"},
	} {
		all := render(t, "-f", cases(t)[name])
		var got []string
		for _, object := range all {
			if object.GetKind() != "ServiceMonitor" {
				continue
			}
			got = append(got, object.GetName())
			endpoints, _, _ := unstructured.NestedSlice(object.Object, "spec", "endpoints")
			endpoint := endpoints[0].(map[string]any)
			if host, _, _ := unstructured.NestedString(endpoint, "tlsConfig", "serverName"); host != object.GetName()+"."+namespace+".svc" {
				t.Errorf("%s: %s is verified as %s", name, object.GetName(), host)
			}
			service := all.find(t, "Service", object.GetName())
			ports, _, _ := unstructured.NestedSlice(service.Object, "spec", "ports")
			if port := ports[0].(map[string]any); port["name"] != endpoint["port"] {
				t.Errorf("%s: %s scrapes the port %v of %v", name, object.GetName(), endpoint["port"], port["name"])
			}
			matched, _, _ := unstructured.NestedStringMap(object.Object, "spec", "selector", "matchLabels")
			for key, value := range matched {
				if service.GetLabels()[key] != value {
					t.Errorf("%s: %s does not select its Service, which has %v", name, object.GetName(), service.GetLabels())
				}
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %q are scraped, want %q", name, got, want)
		}
	}
}
