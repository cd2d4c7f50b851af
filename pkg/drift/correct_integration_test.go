// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// writers set objects right in the two ways in which they come to a target.
var writers = []func(context.Context, *Difference) error{
	func(ctx context.Context, d *Difference) error {
		if d.Live == nil {
			return d.Create(ctx, d.Applied, manager)
		}
		return d.Restore(ctx, manager)
	},
	func(ctx context.Context, d *Difference) error { return d.Reapply(ctx, manager) },
}

func nobodys(*unstructured.Unstructured) error { return nil }

// TestCorrect has all kinds of drift undone, and what is no drift left as it is.
func TestCorrect(t *testing.T) {
	tg := newTarget(t)
	for n, w := range ways {
		namespace := fmt.Sprintf("correct-%d", n)
		tg.namespace(t, namespace)
		t.Run(w.name, func(t *testing.T) { tg.testCorrect(t, w, writers[n], namespace) })
	}
	t.Run("what another owner has", tg.testForeign)
	t.Run("what cannot be changed", tg.testImmutable)
}

func (tg *target) testCorrect(t *testing.T, w way, write func(context.Context, *Difference) error, namespace string) {
	objects := tg.parse(t, namespace, strings.Join([]string{configMapYAML, deploymentYAML, secretYAML, serviceYAML}, "---"))
	for _, obj := range objects {
		w.put(tg, t, obj)
	}
	deployment := objects[1]
	remove(t, tg, objects[0])
	add(autoscalerYAML)(t, tg, deployment)
	strategic(`{"metadata": {"labels": {"tier": null, "theirs": "x"}}, "spec": {"replicas": 7, "template": {"spec": {"containers": [
		{"name": "sidecar", "image": "docker.io/library/sidecar:1"},
		{"name": "helper", "image": "docker.io/library/helper:2"},
		{"name": "web", "args": ["--zero", "--three"], "env": [{"name": "C", "value": "3"}]}]}}}}`)(t, tg, deployment)
	edit(`{"data": {"password": "d3Jvbmc=", "theirs": "eA=="}}`)(t, tg, objects[2])
	ignore := v1alpha1.DriftIgnore{Kind: "Deployment", Group: "apps", Name: "w*", Paths: []string{"/spec/template/spec/containers/1/args/1", "/spec/template/spec/containers/0/args/1"}}

	checker, release := NewChecker(), tg.release(t, namespace, objects, ignore)
	found := tg.check(t, checker, release)
	corrected, err := checker.Correct(t.Context(), tg.conn, release, nobodys, write)
	if err != nil {
		t.Fatalf("correcting: %v", err)
	}
	if diff := cmp.Diff(found, corrected); diff != "" || len(found) != 3 {
		t.Errorf("found and corrected: %s; %q", diff, lines(found))
	}
	for name, c := range map[string]*Checker{"the same checker": checker, "a new one": NewChecker()} {
		if left := lines(tg.check(t, c, release)); left != nil {
			t.Errorf("%s finds drift that was corrected: %q", name, left)
		}
	}
	live := tg.get(t, deployment)
	if replicas, _, _ := unstructured.NestedInt64(live.Object, "spec", "replicas"); replicas != 7 {
		t.Errorf("%d replicas, the autoscaler has 7", replicas)
	}
	if labels := live.GetLabels(); labels["theirs"] != "x" || labels["tier"] != "front" {
		t.Errorf("labels %v", labels)
	}
	want := map[string]any{
		"sidecar": "docker.io/library/sidecar:1 []",
		"web":     "docker.io/library/web:1 [--one --three]",
		"helper":  "docker.io/library/helper:1 []",
	}
	if diff := cmp.Diff(want, containersOf(live)); diff != "" {
		t.Errorf("containers (-want +got): %s", diff)
	}
	data, _, _ := unstructured.NestedStringMap(tg.get(t, objects[2]).Object, "data")
	if diff := cmp.Diff(map[string]string{"old": "b2xk", "password": "Y29ycmVjdCBob3JzZQ==", "theirs": "eA=="}, data); diff != "" {
		t.Errorf("data of the Secret (-want +got): %s", diff)
	}
	if w.name == ways[0].name {
		for _, entry := range live.GetManagedFields() {
			if entry.Operation == "Apply" {
				t.Errorf("%s applied fields of an object that Helm owns", entry.Manager)
			}
		}
	}
}

// containersOf returns image and arguments by name.
func containersOf(deployment *unstructured.Unstructured) map[string]any {
	out := map[string]any{}
	containers, _, _ := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	for _, entry := range containers {
		c, _ := entry.(map[string]any)
		args, _ := c["args"].([]any)
		out[fmt.Sprint(c["name"])] = fmt.Sprint(c["image"], " ", args)
	}
	return out
}

func (tg *target) testForeign(t *testing.T) {
	tg.namespace(t, "foreign")
	objects := tg.parse(t, "foreign", configMapYAML)
	tg.create(t, objects[0])
	edit(`{"metadata": {"labels": {"owner": "other"}}, "data": {"color": "blue"}}`)(t, tg, objects[0])
	errOthers := errors.New("it belongs to another")
	others := func(live *unstructured.Unstructured) error {
		if live.GetLabels()["owner"] == "other" {
			return errOthers
		}
		return nil
	}
	checker, release := NewChecker(), tg.release(t, "foreign", objects)
	tg.take()
	corrected, err := checker.Correct(t.Context(), tg.conn, release, others, writers[0])
	if !errors.Is(err, errOthers) || corrected != nil || tg.take("write") != 0 {
		t.Errorf("corrected %v, %v", lines(corrected), err)
	}
	if got := lines(tg.check(t, checker, release)); len(got) != 1 {
		t.Errorf("what another owner has is not reported: %q", got)
	}
}

// testImmutable has what can be corrected corrected beside what cannot.
func (tg *target) testImmutable(t *testing.T) {
	tg.namespace(t, "immutable")
	objects := tg.parse(t, "immutable", jobYAML+"---"+configMapYAML)
	other := objects[0].DeepCopy()
	containers := []any{map[string]any{"name": "once", "image": "docker.io/secret/other:1"}}
	if err := unstructured.SetNestedSlice(other.Object, containers, "spec", "template", "spec", "containers"); err != nil {
		t.Fatal(err)
	}
	tg.create(t, other)
	corrected, err := NewChecker().Correct(t.Context(), tg.conn, tg.release(t, "immutable", objects), nobodys, writers[0])
	if got := lines(corrected); len(got) != 1 || got[0] != "ConfigMap web is missing" {
		t.Errorf("corrected %q", got)
	}
	if err == nil || !strings.Contains(err.Error(), "Job immutable/once could not be corrected") || !strings.Contains(err.Error(), "spec.template") {
		t.Errorf("the error does not say what is wrong: %v", err)
	}
	if strings.Contains(fmt.Sprint(err), "docker.io") {
		t.Errorf("the error quotes the object: %v", err)
	}
}
