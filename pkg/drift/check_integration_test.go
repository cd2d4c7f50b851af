// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package drift

import (
	"context"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// change is something that somebody else does to an object.
type change func(t *testing.T, tg *target, obj *unstructured.Unstructured)

// edit merges a patch into an object, as kubectl edit would.
func edit(patch string) change { return patched(types.MergePatchType, "", patch) }

// strategic adds to lists by their keys, as injectors do.
func strategic(patch string) change { return patched(types.StrategicMergePatchType, "", patch) }

func status(patch string) change { return patched(types.MergePatchType, "status", patch) }

func patched(kind types.PatchType, subresource, patch string) change {
	return func(t *testing.T, tg *target, obj *unstructured.Unstructured) {
		t.Helper()
		var subresources []string
		if subresource != "" {
			subresources = append(subresources, subresource)
		}
		_, err := tg.client(t, obj).Patch(t.Context(), obj.GetName(), kind, []byte(patch), metav1.PatchOptions{FieldManager: "somebody"}, subresources...)
		if err != nil {
			t.Fatal(err)
		}
	}
}

func remove(t *testing.T, tg *target, obj *unstructured.Unstructured) {
	t.Helper()
	// Nobody collects garbage here.
	background := metav1.DeletePropagationBackground
	if err := tg.client(t, obj).Delete(t.Context(), obj.GetName(), metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
}

// add makes another object beside it.
func add(manifest string) change {
	return func(t *testing.T, tg *target, obj *unstructured.Unstructured) {
		t.Helper()
		for _, other := range tg.parse(t, obj.GetNamespace(), manifest) {
			tg.create(t, other)
		}
	}
}

func both(changes ...change) change {
	return func(t *testing.T, tg *target, obj *unstructured.Unstructured) {
		t.Helper()
		for _, c := range changes {
			c(t, tg, obj)
		}
	}
}

// injectCA gives a CRD a CA bundle, which the target wants to be one.
func injectCA(t *testing.T, tg *target, obj *unstructured.Unstructured) {
	t.Helper()
	edit(fmt.Sprintf(`{"spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": %q}}}}}`,
		base64.StdEncoding.EncodeToString(tg.Config.CAData)))(t, tg, obj)
}

// driftCase changes the first of its objects, and says what of it is drift.
type driftCase struct {
	name, applied string
	change        change
	want          []string
	// helmOnly is for what server-side apply refuses.
	helmOnly bool
}

// TestCheck puts objects on a target in both ways, finds no drift, has somebody
// change the first of them, and finds what of it is drift. It writes nothing.
func TestCheck(t *testing.T) {
	tg := newTarget(t)
	for n, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			for i, c := range append(noDrift(), trueDrift()...) {
				if c.helmOnly && n > 0 {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					namespace := fmt.Sprintf("check-%d-%d", n, i)
					tg.namespace(t, namespace)
					tg.testCase(t, w, c, namespace)
				})
			}
		})
	}
}

func (tg *target) testCase(t *testing.T, w way, c driftCase, namespace string) {
	objects := tg.parse(t, namespace, c.applied)
	for _, obj := range objects {
		w.put(tg, t, obj)
		t.Cleanup(func() {
			if obj.GetNamespace() == "" {
				_ = tg.client(t, obj).Delete(context.Background(), obj.GetName(), metav1.DeleteOptions{})
			}
		})
	}
	checker, release := NewChecker(), tg.release(t, namespace, objects)
	tg.take()
	if got := lines(tg.check(t, checker, release)); got != nil {
		t.Errorf("drift of what nobody changed: %q", got)
	}
	if c.change == nil {
		return
	}
	c.change(t, tg, objects[0])
	if diff := cmp.Diff(c.want, lines(tg.check(t, checker, release))); diff != "" {
		t.Errorf("after a change (-want +got): %s", diff)
	}
	if diff := cmp.Diff(c.want, lines(tg.check(t, NewChecker(), release))); diff != "" {
		t.Errorf("to a new checker (-want +got): %s", diff)
	}
	if n := tg.take("write"); n != 0 {
		t.Errorf("%d writes", n)
	}
}
