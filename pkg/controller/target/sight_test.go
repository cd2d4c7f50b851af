// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ksit.io/ksit/pkg/cluster"
	"ksit.io/ksit/pkg/metrics"
)

// A time that nobody answered in is no latency.
func TestMeasured(t *testing.T) {
	began, expires := time.Unix(1767225600, 0), time.Unix(1798761600, 0)
	answered := sight{
		info:   cluster.Info{ExpiresAt: expires},
		report: cluster.Report{Reachable: cluster.Finding{Status: metav1.ConditionTrue}, Latency: time.Millisecond},
	}
	if got, want := answered.measured(began, true), (metrics.TargetProbe{Connected: true, Time: began, Latency: time.Millisecond, CredentialsExpire: expires}); got != want {
		t.Errorf("of one that answered %+v, want %+v", got, want)
	}
	timedOut := sight{report: cluster.Report{Reachable: cluster.Finding{Status: metav1.ConditionFalse}, Latency: 10 * time.Second}}
	if got, want := timedOut.measured(began, false), (metrics.TargetProbe{Time: began}); got != want {
		t.Errorf("of one that did not %+v, want %+v", got, want)
	}
}
