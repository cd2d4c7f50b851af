// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-base/metrics"

	"ksit.io/ksit/pkg/version"
)

// TestNames pins names, labels, help and values of all metrics, which users
// build dashboards on. UPDATE_GOLDEN=1 writes anew.
func TestNames(t *testing.T) {
	registry := metrics.NewKubeRegistry()
	m, err := New(registry)
	if err != nil {
		t.Fatal(err)
	}
	if err := RegisterBuild(registry, version.Info{GitVersion: "v1.0.0", GitCommit: "abc", Kubernetes: "v1.37.2", Go: "go1.26.0"}); err != nil {
		t.Fatal(err)
	}
	probed := time.Unix(1767225600, 0)
	ready := types.NamespacedName{Namespace: "ksit-system", Name: "production-cluster-1"}
	lost := types.NamespacedName{Namespace: "ksit-system", Name: "production-cluster-2"}
	gone := types.NamespacedName{Namespace: "ksit-system", Name: "gone"}
	m.TargetProbed(ready, TargetProbe{Connected: true, Time: probed, Latency: 20 * time.Millisecond, CredentialsExpire: probed.Add(time.Hour)})
	m.TargetProbed(lost, TargetProbe{Time: probed})
	m.TargetProbed(gone, TargetProbe{Time: probed})
	m.ForgetTarget(gone)
	m.InstallSucceeded("argocd", "helm", 45*time.Second)
	m.InstallFailed("flux", "manifest", "NotReady")
	m.DriftFound("argocd", 3)
	m.DriftCorrected("argocd", 2)
	m.ObserveReconcile("operation", 90*time.Second, errors.New("x"))
	m.Leads(world(t))

	got := exposed(t, registry)
	golden := filepath.Join("testdata", "metrics.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// TestOnlyTheLeaderShowsObjects makes sure that a process that waits does not
// say that there is nothing.
func TestOnlyTheLeaderShowsObjects(t *testing.T) {
	registry := metrics.NewKubeRegistry()
	m, err := New(registry)
	if err != nil {
		t.Fatal(err)
	}
	shown := func(leads bool) {
		t.Helper()
		text := exposed(t, registry)
		if got := strings.Contains(text, "ksit_integrations{"); got != leads {
			t.Errorf("objects shown: %v, want %v", got, leads)
		}
		want := "ksit_leader 0\n"
		if leads {
			want = "ksit_leader 1\n"
		}
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	shown(false)
	stop := m.Leads(world(t))
	shown(true)
	stop()
	shown(false)
}

func TestNewFailsOnNamesThatAreTaken(t *testing.T) {
	registry := metrics.NewKubeRegistry()
	if _, err := New(registry); err != nil {
		t.Fatal(err)
	}
	if _, err := New(registry); err == nil {
		t.Error("the same names were registered twice")
	}
}

// exposed is what a scraper gets, without what is there in every registry.
func exposed(t *testing.T, registry metrics.KubeRegistry) string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "ksit_") {
			continue
		}
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}
