// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/testutil"
)

// fill writes count values of 100 KB and returns the first error.
func fill(t *testing.T, client *clientv3.Client, count int) error {
	t.Helper()
	value := strings.Repeat("x", 100_000)
	for i := range count {
		if _, err := client.Put(t.Context(), fmt.Sprintf("fill/%04d", i), value); err != nil {
			return err
		}
	}
	return nil
}

// empty deletes everything and drops its history.
func empty(t *testing.T, client *clientv3.Client) {
	t.Helper()
	deleted, err := client.Delete(t.Context(), "", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Compact(t.Context(), deleted.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("%s did not happen", what)
}

func TestFragmentedDatabaseShrinks(t *testing.T) {
	const leftAlone = 4 << 20
	server := open(t, Options{
		Dir:         t.TempDir(),
		Maintenance: Maintenance{Interval: 50 * time.Millisecond, DefragMinBytes: leftAlone},
	})
	client := connect(t, server)
	if err := fill(t, client, 100); err != nil {
		t.Fatal(err)
	}
	eventually(t, "growth", func() bool { return server.Status().SizeBytes > 8<<20 })
	empty(t, client)
	// It may be defragmented while it is still being emptied, and is left alone
	// from then on if that made it small enough.
	eventually(t, "defragmentation", func() bool { return server.Status().SizeBytes < leftAlone })
}

func TestSmallOrFullDatabaseIsLeftAlone(t *testing.T) {
	tests := map[string]struct {
		status Status
		want   bool
	}{
		"small":      {Status{SizeBytes: 1 << 20, InUseBytes: 1 << 10}, false},
		"full":       {Status{SizeBytes: 1 << 30, InUseBytes: 9 << 26}, false},
		"fragmented": {Status{SizeBytes: 1 << 30, InUseBytes: 1 << 28}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.status.fragmented(Maintenance{}.withDefaults()); got != test.want {
				t.Errorf("fragmented() = %v, want %v", got, test.want)
			}
		})
	}
}

// byHand leaves maintenance to the test: after the look at the start there is
// none for an hour.
func byHand() Maintenance { return Maintenance{Interval: time.Hour} }

// spend fills the database until writes are refused.
func spend(t *testing.T, client *clientv3.Client) {
	t.Helper()
	// The size is looked at when a batch is committed, so more goes in than fits.
	if err := fill(t, client, 2000); !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Fatalf("writing over the quota gave %v, want %v", err, rpctypes.ErrNoSpace)
	}
}

// openSmall opens a server whose quota is soon spent, and yet so large that the
// pages that are free at that moment are a small share of it: defragmentation
// alone must not make room.
func openSmall(t *testing.T) (*Server, *clientv3.Client, func() float64) {
	t.Helper()
	registry := metrics.NewKubeRegistry()
	observed := NewMetrics()
	if err := observed.Register(registry.Register); err != nil {
		t.Fatal(err)
	}
	server := open(t, Options{Dir: t.TempDir(), QuotaBytes: 32 << 20, Metrics: observed, Maintenance: byHand()})
	alarm := func() float64 {
		value, err := testutil.GetGaugeMetricValue(observed.alarm.WithLabelValues("nospace"))
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	return server, connect(t, server), alarm
}

func TestSpentQuotaIsReportedAndHeals(t *testing.T) {
	server, client, alarm := openSmall(t)
	spend(t, client)
	if err := server.tidy(t.Context(), byHand().withDefaults()); err != nil {
		t.Fatal(err)
	}
	if err := server.Check(); err == nil || !strings.Contains(err.Error(), "etcd is full") {
		t.Errorf("Check() = %v, want an error that says that etcd is full", err)
	}
	if alarm() != 1 {
		t.Error("the alarm is not in the metrics")
	}

	// Reading and deleting go on; that is the way out.
	empty(t, client)
	if err := server.tidy(t.Context(), byHand().withDefaults()); err != nil {
		t.Fatal(err)
	}
	if err := server.Check(); err != nil {
		t.Errorf("Check() = %v after everything was deleted", err)
	}
	if alarm() != 0 {
		t.Error("the alarm is still in the metrics")
	}
	if err := fill(t, client, 5); err != nil {
		t.Errorf("writing after the alarm: %v", err)
	}
}

// TestAlarmIsReportedBeforeItIsRepaired has the first look that finds an alarm
// try to end it, in vain.
func TestAlarmIsReportedBeforeItIsRepaired(t *testing.T) {
	server, client, alarm := openSmall(t)
	spend(t, client)
	empty(t, client)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := server.tidy(stopped, byHand().withDefaults()); err == nil {
		t.Fatal("the alarm was taken back in no time")
	}
	if alarm() != 1 {
		t.Error("the alarm is not in the metrics")
	}
}
