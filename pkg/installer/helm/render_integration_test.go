// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/installer/helm/render"
)

// testRunaway has charts that would take all that there is. They end, nothing of
// them is written, and the next chart is installed.
func (b *bench) testRunaway(t *testing.T) {
	renderer, err := render.New(render.Options{MemoryBytes: 256 << 20, CPU: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	one := newInstaller(t, nil)
	one.renderer, one.renders = renderer, make(chan struct{}, 1)
	for name, template := range map[string]string{
		"endless": `{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}`,
		"large":   `{{ until 1000000000 | len }}`,
	} {
		b.charts.add(t, "runaway-"+name, "1.0.0", files{"crds/c.yaml": crdOf("Fig", "figs"), "templates/c.yaml": configMap + "  x: " + template + "\n"})
		_, err := one.Apply(t.Context(), b.conn, b.request("runaway", "runaway-"+name, "1.0.0"))
		wantReason(t, err, installer.ReasonRenderFailed, true, "its templates take more than")
	}
	if _, err := b.Client.CoreV1().Namespaces().Get(t.Context(), "runaway", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("something was applied: %v", err)
	}
	if _, err := b.crd(t, "figs.example.com"); !apierrors.IsNotFound(err) {
		t.Errorf("a CRD was applied: %v", err)
	}
	b.charts.add(t, "walking", "1.0.0", files{"templates/c.yaml": configMap})
	if _, err := one.Apply(t.Context(), b.conn, b.request("runaway", "walking", "1.0.0")); err != nil {
		t.Error(err)
	}
}
