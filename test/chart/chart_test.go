// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chart tests the Helm chart of KSIT with the real Helm: what it makes of
// values is complete and taken by a real API server, and what it refuses it refuses
// with the reason.
package chart

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

	"ksit.io/ksit/test/env"
)

const (
	path      = "../../artifacts/charts/ksit"
	namespace = "ksit-system"
	// kubeVersion is that of the cluster when none is asked.
	kubeVersion = "1.37.0"
)

// helm runs Helm and returns what it printed, errors included.
func helm(t testing.TB, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), env.Bin(t, "helm"), args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	if err != nil {
		return out.String() + problems.String(), err
	}
	return out.String(), nil
}

func template(t testing.TB, args ...string) (string, error) {
	t.Helper()
	return helm(t, append([]string{"template", "ksit", path, "--namespace", namespace, "--kube-version", kubeVersion}, args...)...)
}

// render returns what the chart makes of values.
func render(t testing.TB, args ...string) manifests {
	t.Helper()
	out, err := template(t, args...)
	if err != nil {
		t.Fatalf("helm template %q: %v\n%s", args, err, out)
	}
	return parse(t, out)
}

func parse(t testing.TB, out string) manifests {
	t.Helper()
	var all manifests
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(out), 4096)
	for {
		var raw runtime.RawExtension
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return all
		}
		if len(raw.Raw) == 0 || string(raw.Raw) == "null" {
			continue
		}
		object := &unstructured.Unstructured{}
		if err := errors.Join(err, object.UnmarshalJSON(raw.Raw)); err != nil {
			t.Fatalf("what was rendered cannot be read: %v\n%s", err, out)
		}
		all = append(all, object)
	}
}

// manifests are what was rendered.
type manifests []*unstructured.Unstructured

func (m manifests) find(t testing.TB, kind, name string) *unstructured.Unstructured {
	t.Helper()
	object := m.lookup(kind, name)
	if object == nil {
		t.Fatalf("there is no %s %s", kind, name)
	}
	return object
}

func (m manifests) lookup(kind, name string) *unstructured.Unstructured {
	for _, object := range m {
		if object.GetKind() == kind && object.GetName() == name {
			return object
		}
	}
	return nil
}

// cases returns the files of values that the chart is tested with.
func cases(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob(path + "/ci/*-values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no values in %s/ci (%v)", path, err)
	}
	named := map[string]string{}
	for _, file := range files {
		named[strings.TrimSuffix(filepath.Base(file), "-values.yaml")] = file
	}
	return named
}

func TestLint(t *testing.T) {
	for name, file := range cases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, err := helm(t, "lint", "--strict", "--kube-version", kubeVersion, "-f", file, path); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
