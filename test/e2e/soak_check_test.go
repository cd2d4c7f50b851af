// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/test/bed"
)

// settle waits until everything is as its spec says.
func (w *soak) settle(t *testing.T) {
	t.Helper()
	start := time.Now()
	var last error
	if !poll(t.Context(), soakSettles, func(ctx context.Context) bool {
		w.createLate(t)
		last = w.check(ctx)
		return last == nil
	}) {
		w.note("given up")
		t.Fatalf("after %s not everything is as its spec says:\n%v\n%s", soakSettles, last,
			kubectl(t, "", "get", "integrations,installations,integrationtargets", "-n", w.ns, "-o", "wide"))
	}
	t.Logf("everything was as its spec says after %s", time.Since(start).Round(time.Second))
}

// check returns everything that is not as it shall be.
func (w *soak) check(ctx context.Context) error {
	var wrong []error
	integrations, err := s.ksit.KsitV1alpha1().Integrations(w.ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	installations, err := s.ksit.KsitV1alpha1().Installations(w.ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for n, target := range w.targets {
		there, err := newSnapshot(ctx, target)
		if err != nil {
			return err
		}
		for _, app := range w.apps {
			err := there.absent(app)
			if w.on(app, n) {
				err = there.present(app)
			}
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s on target %d: %w", app.name, n+1, err))
			}
		}
	}
	for _, app := range w.apps {
		if err := w.reported(app, integrations.Items, installations.Items); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", app.name, err))
		}
	}
	return errors.Join(wrong...)
}

// on tells whether an app shall be on a target.
func (w *soak) on(app *soakApp, target int) bool {
	return !app.deleted && (target == 0 || (!app.oneOnly && !w.narrow[app.group]))
}

// reported compares what KSIT says with what shall be.
func (w *soak) reported(app *soakApp, integrations []v1alpha1.Integration, installations []v1alpha1.Installation) error {
	targets := 0
	for n := range w.targets {
		if w.on(app, n) {
			targets++
		}
	}
	count := 0
	for _, i := range installations {
		if i.Spec.Integration == app.name {
			count++
		}
	}
	if count != targets {
		return fmt.Errorf("there are %d Installations, not %d", count, targets)
	}
	at := slices.IndexFunc(integrations, func(i v1alpha1.Integration) bool { return i.Name == app.name })
	if app.deleted || at < 0 {
		if app.deleted != (at < 0) {
			return fmt.Errorf("deleted is %v, and it is there %v", app.deleted, at >= 0)
		}
		return nil
	}
	i := integrations[at]
	if i.Status.Phase != v1alpha1.PhaseRunning || i.Status.ObservedGeneration != i.Generation || int(i.Status.Healthy) != targets {
		return fmt.Errorf("%s on %d of %d targets: %s", i.Status.Phase, i.Status.Healthy, targets, i.Status.Message)
	}
	return nil
}

// snapshot is what is on a target, by namespace.
type snapshot struct {
	releases    map[string][]revision
	configMaps  map[string][]corev1.ConfigMap
	deployments map[string]int
}

func newSnapshot(ctx context.Context, target *bed.Cluster) (*snapshot, error) {
	client, err := target.Client()
	if err != nil {
		return nil, err
	}
	there := &snapshot{configMaps: map[string][]corev1.ConfigMap{}, deployments: map[string]int{}}
	if there.releases, err = releasesOn(ctx, target, ""); err != nil {
		return nil, err
	}
	maps, err := client.CoreV1().ConfigMaps("").List(ctx, metav1.ListOptions{FieldSelector: "metadata.name!=kube-root-ca.crt"})
	if err != nil {
		return nil, err
	}
	for _, m := range maps.Items {
		there.configMaps[m.Namespace] = append(there.configMaps[m.Namespace], m)
	}
	deployments, err := client.AppsV1().Deployments("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, d := range deployments.Items {
		there.deployments[d.Namespace]++
	}
	return there, nil
}

// present tells what is wrong with an app that shall be on the target.
func (s *snapshot) present(app *soakApp) error {
	maps := s.configMaps[app.name]
	if len(maps) != app.configMaps || s.deployments[app.name] != app.deployments {
		return fmt.Errorf("there are %d ConfigMaps and %d Deployments, not %d and %d", len(maps), s.deployments[app.name], app.configMaps, app.deployments)
	}
	if app.chart == "" {
		if !slices.ContainsFunc(maps, func(m corev1.ConfigMap) bool { return m.Data["message"] == app.mark() }) {
			return fmt.Errorf("the manifests are not those of %s", app.mark())
		}
		return nil
	}
	revisions := s.releases[app.name+"/"+app.name]
	if err := sound(revisions); err != nil {
		return fmt.Errorf("%w: %+v", err, revisions)
	}
	newest := revisions[len(revisions)-1]
	if newest.chart != app.chart || newest.version != app.version() || newest.values["message"] != app.mark() {
		return fmt.Errorf("%s %s is installed with %v, not %s %s of %s", newest.chart, newest.version, newest.values, app.chart, app.version(), app.mark())
	}
	for _, m := range maps {
		if m.Data["version"] != app.version() {
			return fmt.Errorf("ConfigMap %s is of version %s, not %s", m.Name, m.Data["version"], app.version())
		}
	}
	return nil
}

// absent tells what is left of an app that shall not be on the target.
func (s *snapshot) absent(app *soakApp) error {
	if n := len(s.releases[app.name+"/"+app.name]) + len(s.configMaps[app.name]) + s.deployments[app.name]; n > 0 {
		return fmt.Errorf("%d objects are left", n)
	}
	return nil
}

// checkPlain asks the helm command for what is on the targets.
func (w *soak) checkPlain(t *testing.T) {
	t.Helper()
	for n, target := range w.targets {
		releases := helmList(t, target.Kubeconfig)
		for _, app := range w.apps {
			if app.chart == "" || !w.on(app, n) {
				continue
			}
			if r := releases[app.name+"/"+app.name]; r.Status != "deployed" || r.Chart != app.chart+"-"+app.version() {
				t.Errorf("helm list on target %d has %+v for %s %s", n+1, r, app.name, app.version())
			}
		}
	}
}

// uses tells what KSIT uses: goroutines, and bytes of resident memory.
func (w *soak) uses(t *testing.T) (goroutines, memory float64) {
	t.Helper()
	metrics := s.metrics(t)
	return sum(metrics, "go_goroutines", nil), sum(metrics, "process_resident_memory_bytes", nil)
}
