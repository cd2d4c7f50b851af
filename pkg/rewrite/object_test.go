// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package rewrite

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, in string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(in), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

const podSpec = `{initContainers: [{name: a, image: X}], containers: [{name: b, image: X}, {name: c}], ephemeralContainers: [{image: X}], volumes: [{name: v, image: {reference: X}}, {name: w, emptyDir: {}}]}`

func TestImages(t *testing.T) {
	table, err := New(nil, Rule{From: "docker.io/library/old", To: "r.i/new"})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		in        string
		unchanged bool
	}{
		"Pod":         {in: `{apiVersion: v1, kind: Pod, spec: ` + podSpec + `}`},
		"PodTemplate": {in: `{apiVersion: v1, kind: PodTemplate, template: {spec: ` + podSpec + `}}`},
		"Deployment":  {in: `{apiVersion: apps/v1, kind: Deployment, spec: {template: {spec: ` + podSpec + `}}}`},
		"StatefulSet": {in: `{apiVersion: apps/v1, kind: StatefulSet, spec: {template: {spec: ` + podSpec + `}}}`},
		"DaemonSet":   {in: `{apiVersion: apps/v1, kind: DaemonSet, spec: {template: {spec: ` + podSpec + `}}}`},
		"ReplicaSet":  {in: `{apiVersion: apps/v1, kind: ReplicaSet, spec: {template: {spec: ` + podSpec + `}}}`},
		"Job":         {in: `{apiVersion: batch/v1, kind: Job, spec: {template: {spec: ` + podSpec + `}}}`},
		"CronJob":     {in: `{apiVersion: batch/v1, kind: CronJob, spec: {jobTemplate: {spec: {template: {spec: ` + podSpec + `}}}}}`},
		"List":        {in: `{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Pod, spec: ` + podSpec + `}]}`},
		"custom resource with a template": {
			in: `{apiVersion: example.com/v1, kind: Runner, spec: {deep: [{template: {spec: ` + podSpec + `}}]}}`},
		"Prometheus": {
			in: `{apiVersion: monitoring.coreos.com/v1, kind: Prometheus, spec: {image: X, thanos: {image: X}, containers: [{image: X}]}}`},
		"Alertmanager in a List": {
			in: `{apiVersion: v1, kind: List, items: [{apiVersion: monitoring.coreos.com/v1, kind: Alertmanager, spec: {image: X}}]}`},
		"image elsewhere": {unchanged: true,
			in: `{apiVersion: example.com/v1, kind: Thing, spec: {image: X, items: [{image: X}], containers: {image: X}}}`},
		"ConfigMap": {unchanged: true,
			in: `{apiVersion: v1, kind: ConfigMap, data: {"pod.yaml": "containers: [{image: X}]"}}`},
		"CRD": {unchanged: true,
			in: `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, spec: {x: {containers: [{image: X}]}}}`},
		"odd types": {unchanged: true,
			in: `{apiVersion: v1, kind: Pod, spec: {containers: [null, 1, {image: 7}, {image: null}], volumes: [{image: x}]}}`},
		"empty": {unchanged: true, in: `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := object(t, replace(test.in, "old:1"))
			want := object(t, replace(test.in, "r.i/new:1"))
			if test.unchanged {
				want = got.DeepCopy()
			}
			if changed := table.Images(got); changed == test.unchanged {
				t.Errorf("changed = %v", changed)
			}
			if diff := cmp.Diff(want.Object, got.Object); diff != "" {
				t.Error(diff)
			}
			if table.Images(got) {
				t.Error("changed again")
			}
		})
	}
}

func replace(in, image string) string {
	out := make([]byte, 0, len(in))
	for _, c := range []byte(in) {
		if c == 'X' {
			out = append(out, image...)
			continue
		}
		out = append(out, c)
	}
	// A colon in a flow mapping needs quotes only before a space.
	return string(out)
}

func TestImagesWithoutRules(t *testing.T) {
	pod := object(t, replace(`{apiVersion: v1, kind: Pod, spec: `+podSpec+`}`, "old:1"))
	if (*Table)(nil).Images(pod) || (&Table{}).Images(pod) {
		t.Error("changed")
	}
}

func TestImagesDepth(t *testing.T) {
	table, err := New(nil, Rule{From: "docker.io", To: "r.i"})
	if err != nil {
		t.Fatal(err)
	}
	var value any = "leaf"
	for range 100_000 {
		value = map[string]any{"x": value}
	}
	if table.Images(&unstructured.Unstructured{Object: value.(map[string]any)}) {
		t.Error("changed")
	}
}
