// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	listers "ksit.io/ksit/pkg/generated/listers/ksit/v1alpha1"
)

func installed(phases ...v1alpha1.Phase) []*v1alpha1.Installation {
	all := make([]*v1alpha1.Installation, len(phases))
	for n, phase := range phases {
		all[n] = &v1alpha1.Installation{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprintf("app.t%d", n)}}
		all[n].Status.Phase = phase
	}
	return all
}

func targets(ready ...bool) []*v1alpha1.IntegrationTarget {
	all := make([]*v1alpha1.IntegrationTarget, len(ready))
	for n, is := range ready {
		all[n] = &v1alpha1.IntegrationTarget{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprintf("t%d", n)}}
		all[n].Status.Ready = is
	}
	return all
}

func TestSumUp(t *testing.T) {
	suspended := targets(true, false)
	suspended[1].Spec.Suspend = true
	many := installed(v1alpha1.PhaseRunning, v1alpha1.PhaseFailed, v1alpha1.PhaseFailed, v1alpha1.PhaseDegraded, v1alpha1.PhaseUnknown, v1alpha1.PhaseFailed, v1alpha1.PhaseFailed)
	for name, tc := range map[string]struct {
		installations []*v1alpha1.Installation
		targets       []*v1alpha1.IntegrationTarget
		text, names   string
	}{
		"empty": {text: "Fleet: 0 of 0 installations are healthy; 0 of 0 targets are ready"},
		"well":  {installed(v1alpha1.PhaseRunning, v1alpha1.PhaseRunning), targets(true, true), "Fleet: 2 of 2 installations are healthy; 2 of 2 targets are ready", ""},
		"on its way": {installed(v1alpha1.PhaseRunning, v1alpha1.PhaseInstalling, v1alpha1.PhaseDisabled, ""), suspended,
			"Fleet: 1 of 4 installations are healthy, 2 on their way, 1 disabled; 1 of 2 targets are ready, 1 suspended", ""},
		"a target is lost": {installed(v1alpha1.PhaseRunning), targets(true, false),
			"Fleet: 1 of 1 installations are healthy; 1 of 2 targets are ready", "IntegrationTarget ns/t1 is not ready"},
		"much is wrong": {many, targets(true), "Fleet: 1 of 7 installations are healthy, 4 failed, 1 degraded, 1 unknown; 1 of 1 targets are ready",
			"Installation ns/app.t1 is Failed, Installation ns/app.t2 is Failed, Installation ns/app.t5 is Failed, Installation ns/app.t6 is Failed, Installation ns/app.t3 is Degraded and 1 more"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sumUp(tc.installations, tc.targets)
			if s.text() != tc.text || s.names() != tc.names {
				t.Errorf("says %q, names %q\nwant %q, %q", s.text(), s.names(), tc.text, tc.names)
			}
		})
	}
}

// TestLinesComeNowAndThen counts the lines of an hour, and of a reporter that is
// off.
func TestLinesComeNowAndThen(t *testing.T) {
	for _, tc := range []struct {
		interval time.Duration
		lines    int
	}{{5 * time.Minute, 12}, {0, 0}} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			indexer := func() cache.Indexer { return cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{}) }
			installations, clusters := indexer(), indexer()
			if err := installations.Add(installed(v1alpha1.PhaseRunning)[0]); err != nil {
				t.Fatal(err)
			}
			if err := clusters.Add(targets(true)[0]); err != nil {
				t.Fatal(err)
			}
			r := &Reporter{
				Integrations: listers.NewIntegrationLister(indexer()), Installations: listers.NewInstallationLister(installations),
				Targets: listers.NewIntegrationTargetLister(clusters), Interval: tc.interval,
			}
			ctx, cancel := context.WithTimeout(klog.NewContext(t.Context(), textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&out)))), time.Hour)
			defer cancel()
			r.Run(ctx)
			if n := strings.Count(out.String(), "✅ Fleet: 1 of 1 installations are healthy"); n != tc.lines || strings.Count(out.String(), "\n") != n {
				t.Errorf("%d lines at an interval of %s, want %d:\n%s", n, tc.interval, tc.lines, out.String())
			}
		})
	}
}
