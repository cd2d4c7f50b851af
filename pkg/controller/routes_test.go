// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/controller/index"
	"ksit.io/ksit/pkg/controller/workers"
	"ksit.io/ksit/pkg/generated/clientset/versioned/fake"
	"ksit.io/ksit/pkg/generated/informers/externalversions"
)

// called collects what the pools are asked for, as pool/name.
type called struct {
	mu    sync.Mutex
	names map[string]bool
}

func (c *called) pool(name string) *workers.Pool {
	return workers.NewPool(name, func(_ context.Context, key types.NamespacedName) (time.Duration, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.names[name+"/"+key.Name] = true
		return 0, nil
	}, func(string, time.Duration, error) {})
}

// sees waits until all of the names were asked for, and returns those that were.
func (c *called) sees(want []string) []string {
	var got []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		c.mu.Lock()
		got = got[:0]
		for name := range c.names {
			got = append(got, name)
		}
		c.mu.Unlock()
		slices.Sort(got)
		if !slices.ContainsFunc(want, func(name string) bool { return !slices.Contains(got, name) }) {
			break
		}
	}
	return got
}

func installed(name string, mutate ...func(*v1alpha1.Installation)) *v1alpha1.Installation {
	integration, target, _ := strings.Cut(name, ".")
	i := &v1alpha1.Installation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, Generation: 1},
		Spec:       v1alpha1.InstallationSpec{Integration: integration, Target: target},
		Status:     v1alpha1.InstallationStatus{ObservedGeneration: 1},
	}
	for _, m := range mutate {
		m(i)
	}
	return i
}

// TestRoutes changes one object, and expects those to be reconciled that the
// change concerns, and no others.
func TestRoutes(t *testing.T) {
	needsFirst := func(i *v1alpha1.Installation) { i.Spec.DependsOn = []v1alpha1.IntegrationDependency{{Name: "first"}} }
	waitsForSecond := func(i *v1alpha1.Installation) {
		i.Spec.DependsOn, i.Spec.WaitsFor = []v1alpha1.IntegrationDependency{{Name: "second"}}, "its turn"
	}
	templates := func(i *v1alpha1.Installation) {
		i.Spec.AutoInstall = &v1alpha1.AutoInstall{HelmConfig: &v1alpha1.HelmConfig{TemplateValues: true}}
	}
	// foreign is one of another namespace on the same target.
	foreign := func(i *v1alpha1.Installation) { i.Namespace, i.Spec.TargetNamespace = "other", "ns" }
	runs := func(i *v1alpha1.Installation) { i.Status.Phase = v1alpha1.PhaseRunning }
	target := func(mutate func(*v1alpha1.IntegrationTarget)) *v1alpha1.IntegrationTarget {
		t := &v1alpha1.IntegrationTarget{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "one", Generation: 1}}
		mutate(t)
		return t
	}
	asIs := func(*v1alpha1.IntegrationTarget) {}
	for name, tc := range map[string]struct {
		change func(routes)
		want   string
	}{
		"what comes first runs: what depends on it on that target": {
			change: func(r routes) { r.forInstallations().OnUpdate(installed("first.one"), installed("first.one", runs)) },
			want:   "installation/dependant.one integration/first",
		},
		"what comes first runs: who waits for a turn is planned again": {
			change: func(r routes) {
				r.forInstallations().OnUpdate(installed("second.one"), installed("second.one", runs))
			},
			want: "installation/waiting.one integration/second integration/waiting",
		},
		"what comes first still runs: nobody": {
			change: func(r routes) {
				r.forInstallations().OnUpdate(installed("first.one", runs), installed("first.one", runs))
			},
			want: "integration/first",
		},
		"a target gets a label": {
			change: func(r routes) {
				r.forTargets().OnUpdate(target(asIs), target(func(t *v1alpha1.IntegrationTarget) { t.Labels = map[string]string{"a": "b"} }))
			},
			want: "installation/templated.one integration/naming integration/rolling integration/selecting",
		},
		"a target gets an annotation": {
			change: func(r routes) {
				r.forTargets().OnUpdate(target(asIs), target(func(t *v1alpha1.IntegrationTarget) { t.Annotations = map[string]string{"a": "b"} }))
			},
			want: "installation/templated.one",
		},
		"a target becomes ready": {
			change: func(r routes) {
				r.forTargets().OnUpdate(target(asIs), target(func(t *v1alpha1.IntegrationTarget) { t.Status.Ready = true }))
			},
			want: "installation/dependant.one installation/first.one installation/foreign.one installation/templated.one installation/waiting.one integration/rolling",
		},
		"a target admits others": {
			change: func(r routes) {
				r.forTargets().OnUpdate(target(asIs), target(func(t *v1alpha1.IntegrationTarget) { t.Generation++ }))
			},
			want: "installation/dependant.one installation/first.one installation/foreign.one installation/templated.one installation/waiting.one " +
				"integration/naming integration/rolling integration/selecting target/one",
		},
		"what is on it from elsewhere goes": {
			change: func(r routes) { r.forInstallations().OnDelete(installed("foreign.one", foreign)) },
			want:   "installation/foreign.one integration/foreign target/one",
		},
	} {
		t.Run(name, func(t *testing.T) {
			kinds := externalversions.NewSharedInformerFactory(fake.NewClientset(), 0).Ksit().V1alpha1()
			installations, err := index.NewInstallations(kinds.Installations().Informer())
			if err != nil {
				t.Fatal(err)
			}
			byName, err := index.NewIntegrations(kinds.Integrations().Informer())
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range []*v1alpha1.Installation{
				installed("first.one"), installed("dependant.one", needsFirst), installed("dependant.two", needsFirst), installed("templated.one", templates), installed("waiting.one", waitsForSecond),
				installed("foreign.one", foreign, needsFirst),
			} {
				if err := kinds.Installations().Informer().GetIndexer().Add(i); err != nil {
					t.Fatal(err)
				}
			}
			for name, spec := range map[string]v1alpha1.IntegrationSpec{
				"plain": {}, "rolling": {Rollout: &v1alpha1.Rollout{}}, "selecting": {TargetSelector: &metav1.LabelSelector{}},
			} {
				i := &v1alpha1.Integration{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}, Spec: spec}
				if err := kinds.Integrations().Informer().GetIndexer().Add(i); err != nil {
					t.Fatal(err)
				}
			}
			naming := &v1alpha1.Integration{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "naming"},
				Spec: v1alpha1.IntegrationSpec{TargetClusters: []string{"ns/one", "one"}}}
			if err := kinds.Integrations().Informer().GetIndexer().Add(naming); err != nil {
				t.Fatal(err)
			}
			c := &called{names: map[string]bool{}}
			m := &Manager{integrations: c.pool("integration"), charts: c.pool("chart"), targets: c.pool("target"), probes: c.pool("installation")}
			for _, pool := range []*workers.Pool{m.integrations, m.charts, m.targets, m.probes} {
				go pool.Run(t.Context(), 1)
			}
			tc.change(routes{manager: m, installations: installations, integrations: kinds.Integrations().Lister(), naming: byName})
			if got := strings.Join(c.sees(strings.Fields(tc.want)), " "); got != tc.want {
				t.Errorf("reconciled %q, want %q", got, tc.want)
			}
		})
	}
}
