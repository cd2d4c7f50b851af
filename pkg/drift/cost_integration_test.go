// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

// TestCost counts the requests for a release of 300 objects.
func TestCost(t *testing.T) {
	const many = 300
	tg := newTarget(t)
	tg.namespace(t, "cost")
	var manifests strings.Builder
	for n := range many - 2 {
		fmt.Fprintf(&manifests, "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: map-%03d}, data: {number: '%d'}}\n", n, n)
	}
	manifests.WriteString("---" + deploymentYAML + "---" + clusterRoleYAML)
	objects := tg.parse(t, "cost", manifests.String())
	for _, obj := range objects {
		tg.create(t, obj)
	}
	loads := 0
	release := tg.release(t, "cost", objects)
	load := release.Load
	release.Load = func(ctx context.Context) ([]*unstructured.Unstructured, error) {
		loads++
		return load(ctx)
	}
	checker := NewChecker()
	now := time.Now()
	checker.now = func() time.Time { return now }
	expect := func(what string, findings, wantLoads, dryRuns, reads int) {
		t.Helper()
		loads = 0
		tg.mu.Lock()
		tg.requests = nil
		tg.mu.Unlock()
		if got := lines(tg.check(t, checker, release)); len(got) != findings {
			t.Errorf("%s: %d findings: %q", what, len(got), got)
		}
		tg.mu.Lock()
		requests := tg.requests
		tg.mu.Unlock()
		count := func(word string) (n int) {
			for _, r := range requests {
				if strings.HasPrefix(r, word+" ") {
					n++
				}
			}
			return n
		}
		if count("dry run") != dryRuns || count("read") != reads || count("write") != 0 || loads != wantLoads {
			t.Errorf("%s: %d dry runs, %d reads, %d writes, %d loads; want %d, %d, 0, %d",
				what, count("dry run"), count("read"), count("write"), loads, dryRuns, reads, wantLoads)
		}
	}
	// The Deployment, the role, and the list of ConfigMaps.
	const places = 3
	expect("the first check", 0, 1, many, many)
	expect("nothing changed", 0, 0, 0, places)
	status(`{"status": {"replicas": 2, "observedGeneration": 1}}`)(t, tg, objects[many-2])
	expect("a status changed", 0, 0, 0, places)
	edit(`{"metadata": {"annotations": {"a": "b"}}}`)(t, tg, objects[many-2])
	expect("an annotation was added", 0, 1, 1, places+1)
	edit(`{"data": {"number": "x"}}`)(t, tg, objects[7])
	remove(t, tg, objects[8])
	expect("one changed and one is gone", 2, 1, 1, places+2)
	expect("drift stays", 2, 0, 0, places)
	now = now.Add(2 * wholeInterval)
	expect("much later", 2, 1, many-1, many)

	release.Ignore = []v1alpha1.DriftIgnore{{Group: "core", Kind: "ConfigMap", Name: "map-00*"}}
	expect("other rules", 0, 1, many-10, many-10)
	release.Revision = "2"
	expect("another revision", 0, 1, many-10, many-10)
}

// TestInterrupted has a check go on where one that ran out of time stopped.
func TestInterrupted(t *testing.T) {
	tg := newTarget(t)
	tg.namespace(t, "interrupted")
	var manifests strings.Builder
	for n := range 40 {
		fmt.Fprintf(&manifests, "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: map-%03d}, data: {number: '%d'}}\n", n, n)
	}
	objects := tg.parse(t, "interrupted", manifests.String())
	for _, obj := range objects {
		tg.create(t, obj)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	release := tg.release(t, "interrupted", objects)
	checker := NewChecker()
	tg.mu.Lock()
	tg.hook = func(n int) {
		if n == 20 {
			cancel()
		}
	}
	tg.mu.Unlock()
	if _, err := checker.Check(ctx, tg.conn, release); err == nil {
		t.Fatal("no error from a check that was interrupted")
	}
	tg.take()
	if got := lines(tg.check(t, checker, release)); got != nil {
		t.Errorf("findings %q", got)
	}
	if n := tg.take("dry run"); n == 0 || n >= len(objects) {
		t.Errorf("%d dry runs after an interrupted check of %d objects", n, len(objects))
	}
}

// TestMissingKind finds custom resources missing when their CRD is gone, and
// has both come back.
func TestMissingKind(t *testing.T) {
	tg := newTarget(t)
	tg.namespace(t, "kinds")
	crd := tg.parse(t, "kinds", strings.NewReplacer("strategy: Webhook", "strategy: None").Replace(dropWebhook(crdYAML)))[0]
	tg.create(t, crd)
	widget := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "drift.example.com/v1", "kind": "Widget",
		"metadata": map[string]any{"name": "one", "namespace": "kinds"}, "spec": map[string]any{"size": "large"}}}
	eventually(t, func() bool {
		tg.others.RESTMapper().Reset()
		_, err := tg.others.RESTMapper().RESTMapping(widget.GroupVersionKind().GroupKind(), "v1")
		if err != nil {
			return false
		}
		_, err = tg.client(t, widget).Create(t.Context(), widget, metav1.CreateOptions{FieldManager: manager})
		return err == nil
	})
	checker, release := NewChecker(), tg.release(t, "kinds", []*unstructured.Unstructured{crd, widget})
	if got := lines(tg.check(t, checker, release)); got != nil {
		t.Fatalf("findings %q", got)
	}
	edit(`{"spec": {"size": "small", "theirs": "x"}}`)(t, tg, widget)
	if got := lines(tg.check(t, checker, release)); len(got) != 1 || got[0] != "Widget one /spec/size" {
		t.Errorf("findings %q", got)
	}
	remove(t, tg, crd)
	eventually(t, func() bool {
		findings, err := checker.Check(t.Context(), tg.conn, release)
		return err == nil && strings.Join(lines(findings), ";") == "CustomResourceDefinition widgets.drift.example.com is missing;Widget one is missing"
	})
	eventually(t, func() bool {
		_, err := checker.Correct(t.Context(), tg.conn, release, nobodys, writers[0])
		if err != nil && !strings.Contains(err.Error(), "Widget kinds/one") {
			t.Fatalf("correcting: %v", err)
		}
		return err == nil
	})
	eventually(t, func() bool { return tg.check(t, checker, release) == nil })
}

func dropWebhook(crd string) string {
	before, rest, _ := strings.Cut(crd, "    webhook:\n")
	_, after, _ := strings.Cut(rest, "  versions:\n")
	return before + "  versions:\n" + after
}

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for range 300 {
		if done() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("it did not come to pass")
}
