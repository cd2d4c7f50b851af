// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"testing"
	"time"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
)

func valuesFromSecret(i *v1alpha1.Integration) {
	i.Spec.AutoInstall.HelmConfig.ValuesFrom = []v1alpha1.ValuesSource{{Kind: v1alpha1.SourceSecret, Name: "db", Key: "values.yaml"}}
}

// age makes what was read so old that it is read again.
func (w *world) age() {
	entry, _ := w.controller.digests.get(worldKey)
	entry.readAt = entry.readAt.Add(-time.Hour)
	w.controller.digests.set(worldKey, entry)
}

// digestsOf returns the digests by target, of a and b.
func (w *world) digestsOf() (a, b string) {
	return w.installation("a").Spec.SourcesDigest, w.installation("b").Spec.SourcesDigest
}

func TestSourcesReachTheClustersInTurn(t *testing.T) {
	w := newWorld(t, func(i *v1alpha1.Integration) { oneByOne(i); valuesFromSecret(i) }, "a", "b")
	w.sources.text = "one"
	after := w.reconcile()
	if after <= 0 || after > sourcesInterval {
		t.Fatalf("reads again after %s", after)
	}
	for _, target := range []string{"a", "b"} {
		w.ends(target, v1alpha1.PhaseRunning)
		w.reconcile()
	}
	first, second := w.digestsOf()
	if first == "" || first != second {
		t.Fatalf("digests %q and %q", first, second)
	}
	if w.sources.reads != 1 {
		t.Errorf("read %d times within a moment", w.sources.reads)
	}

	w.sources.text = "two"
	w.age()
	w.reconcile()
	changed, held := w.digestsOf()
	if changed == first || held != first {
		t.Errorf("after a change the digests are %q and %q; before %q", changed, held, first)
	}
	w.expectStatus(v1alpha1.PhaseUpgrading, 1, "1 of 2 clusters updated")

	// What cannot be read changes nothing.
	w.sources.err = errors.New("the host is away")
	w.age()
	w.reconcile()
	if a, b := w.digestsOf(); a != changed || b != held {
		t.Errorf("digests %q and %q while nothing can be read", a, b)
	}
	w.controller.digests.forget(worldKey)
	w.reconcile()
	if a, b := w.digestsOf(); a != changed || b != held {
		t.Errorf("digests %q and %q after a restart, while nothing can be read", a, b)
	}
}

func TestReconcileReadsAtOnce(t *testing.T) {
	w := newWorld(t, valuesFromSecret, "a")
	w.reconcile()
	w.change(func(i *v1alpha1.Integration) { i.Annotations = map[string]string{v1alpha1.AnnotationReconcile: "1"} })
	w.reconcile()
	if w.sources.reads != 2 {
		t.Errorf("read %d times", w.sources.reads)
	}
}

func TestNothingIsReadWithoutReferences(t *testing.T) {
	for name, mutate := range map[string]func(*v1alpha1.Integration){
		"none": nil,
		"credentials alone": func(i *v1alpha1.Integration) {
			i.Spec.AutoInstall.HelmConfig.SecretRef = &v1alpha1.LocalReference{Name: "repo"}
		},
		"not installed": func(i *v1alpha1.Integration) { valuesFromSecret(i); i.Spec.AutoInstall.Enabled = false },
		"manifests of their own": func(i *v1alpha1.Integration) {
			i.Spec.AutoInstall.Method, i.Spec.AutoInstall.ManifestConfig = v1alpha1.InstallMethodManifest, &v1alpha1.ManifestConfig{Manifests: "x"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, mutate, "a")
			if after := w.reconcile(); after != 0 || w.sources.reads != 0 {
				t.Errorf("read %d times, reads again after %s", w.sources.reads, after)
			}
			if digest := w.installation("a").Spec.SourcesDigest; digest != "" {
				t.Errorf("digest %q", digest)
			}
		})
	}
}
