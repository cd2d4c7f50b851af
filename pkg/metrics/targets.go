// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-base/metrics"
)

// maxTargets bounds the targets that have series of their own. The others are
// in ksit_targets.
const maxTargets = 1000

// TargetProbe is what the last probe of a target showed.
type TargetProbe struct {
	// Connected tells whether the target counts as ready, which it does until as
	// many probes have failed as its threshold says.
	Connected bool
	// Time is when the probe began.
	Time time.Time
	// Latency is that of the first request; zero when nobody answered.
	Latency time.Duration
	// CredentialsExpire is zero when they do not, or nobody can tell.
	CredentialsExpire time.Time
}

// TargetProbed notes what a probe of a target showed.
func (m *Metrics) TargetProbed(target types.NamespacedName, probe TargetProbe) {
	m.targets.mu.Lock()
	defer m.targets.mu.Unlock()
	m.targets.probes[target] = probe
}

// ForgetTarget forgets a target that is gone, or is not looked at any more.
func (m *Metrics) ForgetTarget(target types.NamespacedName) {
	m.targets.mu.Lock()
	defer m.targets.mu.Unlock()
	delete(m.targets.probes, target)
}

// targets collects what the probes of targets showed.
type targets struct {
	metrics.BaseStableCollector
	connected, probed, latency, expire *metrics.Desc

	mu     sync.Mutex
	probes map[types.NamespacedName]TargetProbe
}

func newTargets() *targets {
	labels := []string{"namespace", "target"}
	return &targets{
		connected: gauge("ksit_cluster_connection_status", "1 while the IntegrationTarget is ready, 0 while it is not.", labels...),
		probed: gauge("ksit_cluster_last_probe_timestamp_seconds",
			"When the IntegrationTarget was last probed, in seconds since 1970, whatever came of it.", labels...),
		latency: gauge("ksit_cluster_latency_seconds",
			"How long the IntegrationTarget took to answer the first request of the last probe, in seconds; none when it did not.", labels...),
		expire: gauge("ksit_cluster_credentials_expiration_timestamp_seconds",
			"When the credentials of the IntegrationTarget expire, in seconds since 1970; none where that cannot be told from them.", labels...),
		probes: map[types.NamespacedName]TargetProbe{},
	}
}

// DescribeWithStability implements metrics.StableCollector.
func (t *targets) DescribeWithStability(ch chan<- *metrics.Desc) {
	for _, desc := range []*metrics.Desc{t.connected, t.probed, t.latency, t.expire} {
		ch <- desc
	}
}

// CollectWithStability implements metrics.StableCollector.
func (t *targets) CollectWithStability(ch chan<- metrics.Metric) {
	for _, target := range t.shown() {
		send := func(desc *metrics.Desc, value float64) {
			ch <- metrics.NewLazyConstMetric(desc, metrics.GaugeValue, value, target.name.Namespace, target.name.Name)
		}
		connected := 0.0
		if target.probe.Connected {
			connected = 1
		}
		send(t.connected, connected)
		send(t.probed, seconds(target.probe.Time))
		if target.probe.Latency > 0 {
			send(t.latency, target.probe.Latency.Seconds())
		}
		if !target.probe.CredentialsExpire.IsZero() {
			send(t.expire, seconds(target.probe.CredentialsExpire))
		}
	}
}

type probedTarget struct {
	name  types.NamespacedName
	probe TargetProbe
}

// shown are the targets that get series: those in trouble first, so that none of
// them is missing where there are too many.
func (t *targets) shown() []probedTarget {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]probedTarget, 0, len(t.probes))
	for name, probe := range t.probes {
		all = append(all, probedTarget{name, probe})
	}
	slices.SortFunc(all, func(a, b probedTarget) int {
		if a.probe.Connected != b.probe.Connected {
			if b.probe.Connected {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.name.Namespace, b.name.Namespace), cmp.Compare(a.name.Name, b.name.Name))
	})
	return all[:min(len(all), maxTargets)]
}

func gauge(name, help string, labels ...string) *metrics.Desc {
	return metrics.NewDesc(name, help, labels, nil, metrics.ALPHA, "")
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
